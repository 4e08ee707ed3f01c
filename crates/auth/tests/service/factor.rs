//! Tests of the second step of a login, with the factor for tests.

use countersign_auth::domain::memory::MemoryStore;
use countersign_auth::domain::{AuditFilter, Duration, Method, PendingLogin, Reason, SecretToken};
use countersign_auth::{
    AuthEventKind, ConfirmError, Credential, FactorError, LogIn, LogInError, LoginState,
    NewPendingLogin, NewSession,
};

use crate::support::{PASSWORD, Service, admin, browser, cheap};

const ADA: &str = "ada@example.org";
const CODE: &str = "123456";
const WRONG: &str = "000000";

impl Service {
    /// Starts a service with `ada`, who has a second factor.
    async fn with_factor() -> Self {
        let service = Self::new();
        let ada = service.register(ADA).await.unwrap();
        service.auth.testing().require_factor(ada, CODE);
        service
    }

    async fn waiting(&self) -> NewPendingLogin {
        self.waiting_as(LogIn::new(ADA, PASSWORD)).await
    }

    async fn waiting_as(&self, attempt: LogIn<'_>) -> NewPendingLogin {
        waits(self.auth.by(&browser()).log_in(attempt).await.unwrap())
    }

    async fn verify(&self, token: &SecretToken, code: &str) -> Result<LoginState, FactorError> {
        self.auth.by(&browser()).verify_factor(token, code).await
    }

    /// Sends the same code many times at once.
    async fn at_once(
        &self,
        times: usize,
        token: &SecretToken,
        code: &'static str,
    ) -> Vec<Result<LoginState, FactorError>> {
        let tries = (0..times).map(|_| {
            let (auth, token) = (self.auth.clone(), token.clone());
            tokio::spawn(async move { auth.by(&browser()).verify_factor(&token, code).await })
        });
        let mut done = Vec::new();
        for tried in tries.collect::<Vec<_>>() {
            done.push(tried.await.unwrap());
        }
        done
    }
}

fn waits(state: LoginState) -> NewPendingLogin {
    match state {
        LoginState::FactorRequired(login) => login,
        other => panic!("no factor is asked for: {other:?}"),
    }
}

fn complete(state: LoginState) -> NewSession {
    match state {
        LoginState::Complete(begun) => begun,
        other => panic!("not complete: {other:?}"),
    }
}

#[tokio::test]
async fn a_login_with_a_factor_opens_nothing_until_its_code_is_right() {
    let service = Service::with_factor().await;
    let waiting = service.waiting_as(LogIn::new(ADA, PASSWORD).remember(true)).await;
    assert_eq!(waiting.factors.len(), 1);
    assert_eq!(waiting.expires_at, service.auth.now() + Duration::minutes(10));
    assert!(service.authenticate(&waiting.token).await.is_none());
    let error = service.verify(&waiting.token, WRONG).await.unwrap_err();
    assert!(matches!(error, FactorError::WrongCode), "{error}");
    let begun = complete(service.verify(&waiting.token, CODE).await.unwrap());
    assert!(begun.remember_token.is_some() && begun.browser_token.is_some());
    let known = service.authenticate(&begun.token).await.unwrap();
    assert!(known.is_fresh && known.session.methods.contains(Method::Password));
    assert_eq!(known.session.methods.iter().count(), 2);
    let again = service.verify(&waiting.token, CODE).await.unwrap_err();
    assert!(matches!(again, FactorError::Ended), "{again}");
}

#[tokio::test]
async fn every_door_asks_for_the_factor() {
    let service = Service::with_factor().await;
    let ada = service.auth.users().list(None, 1).await.unwrap().remove(0);
    let state = service.auth.by(&browser()).log_in_user(&ada, false).await.unwrap();
    let waiting = waits(state.unwrap());
    let begun = complete(service.verify(&waiting.token, CODE).await.unwrap());
    assert!(!begun.session.methods.contains(Method::Password));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_takes_five_codes_however_many_come_at_once() {
    let service = Service::with_factor().await;
    let waiting = service.waiting().await;
    let error = service.verify(&waiting.token, "  ").await.unwrap_err();
    assert!(matches!(error, FactorError::Empty), "{error}");
    let done = service.at_once(20, &waiting.token, WRONG).await;
    let wrong = done.iter().filter(|tried| matches!(tried, Err(FactorError::WrongCode)));
    let wrong = u32::try_from(wrong.count()).unwrap();
    assert_eq!(wrong, PendingLogin::MAX_TRIES);
    let error = service.verify(&waiting.token, CODE).await.unwrap_err();
    assert!(matches!(error, FactorError::Ended), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_right_codes_at_once_one_completes_the_login() {
    let service = Service::with_factor().await;
    let waiting = service.waiting().await;
    let done = service.at_once(5, &waiting.token, CODE).await;
    assert_eq!(done.iter().filter(|state| state.is_ok()).count(), 1);
}

#[tokio::test]
async fn whatever_ends_a_session_ends_a_login_that_waits() {
    let service = Service::with_factor().await;
    let ada = service.auth.users().list(None, 1).await.unwrap().remove(0);
    let late = service.waiting().await;
    service.advance(Duration::minutes(10));
    let left = service.waiting().await;
    service.auth.by(&browser()).give_up_login(&left.token).await.unwrap();
    let disabled = service.waiting().await;
    service.auth.by(&admin()).admin().set_active(ada.id, false).await.unwrap();
    assert_eq!(pending_factors(&service, &disabled).await, None);
    let error = service.verify(&disabled.token, CODE).await.unwrap_err();
    assert!(matches!(error, FactorError::Ended), "{error}");
    service.auth.by(&admin()).admin().set_active(ada.id, true).await.unwrap();
    let changed = service.waiting().await;
    service.auth.by(&admin()).admin().set_password(&ada, "another set of words").await.unwrap();
    for waiting in [late, left, changed] {
        assert_eq!(pending_factors(&service, &waiting).await, None);
        let error = service.verify(&waiting.token, CODE).await.unwrap_err();
        assert!(matches!(error, FactorError::Ended), "{error}");
    }
}

async fn pending_factors(service: &Service, waiting: &NewPendingLogin) -> Option<Vec<Method>> {
    service.auth.by(&browser()).pending_factors(&waiting.token).await.unwrap()
}

#[tokio::test]
async fn counters_are_given_back_only_when_the_login_is_complete() {
    let service = Service::with_factor().await;
    for _ in 0..4 {
        service.try_log_in(ADA, "wrong").await.unwrap_err();
    }
    // The password alone takes nothing back: this was the fifth try.
    let waiting = service.waiting().await;
    let error = service.try_log_in(ADA, PASSWORD).await.unwrap_err();
    assert!(matches!(error, LogInError::Throttled(_)), "{error}");
    complete(service.verify(&waiting.token, CODE).await.unwrap());
    service.waiting().await;
}

#[tokio::test]
async fn a_wrong_code_is_written_down() {
    let service = Service::with_factor().await;
    let waiting = service.waiting().await;
    service.verify(&waiting.token, WRONG).await.unwrap_err();
    complete(service.verify(&waiting.token, CODE).await.unwrap());
    let records = service.auth.audit().records(AuditFilter::default(), 2).await.unwrap();
    let told: Vec<_> =
        records.iter().map(|record| (record.event.kind, record.event.reason)).collect();
    let expected = [
        (AuthEventKind::UserLoggedIn, None),
        (AuthEventKind::UserLoginFailed, Some(Reason::WrongCode)),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_user_without_a_password_confirms_and_deletes_by_another_proof() {
    use countersign_auth::domain::Store;
    use countersign_auth::domain::contract::any_record;
    let store = MemoryStore::default();
    let service = Service::over(store.clone(), cheap());
    service.register(ADA).await.unwrap();
    let mut ada = service.auth.users().list(None, 1).await.unwrap().remove(0);
    service.auth.by(&admin()).admin().delete(ada.id).await.unwrap();
    ada.password_hash = None;
    store.users().insert_user(&ada, &any_record()).await.unwrap();
    service.auth.testing().require_factor(ada.id, CODE);
    let by = browser();
    let waiting = waits(service.auth.by(&by).log_in_user(&ada, false).await.unwrap().unwrap());
    let begun = complete(service.verify(&waiting.token, CODE).await.unwrap());
    service.advance(Duration::minutes(11));

    let stale = service.authenticate(&begun.token).await.unwrap();
    let deleted = service.auth.by(&by).account(&stale).delete(None).await;
    assert!(matches!(deleted, Err(ConfirmError::NotFresh)), "{deleted:?}");
    let account = service.auth.by(&by).account(&stale);
    let wrong = account.reauthenticate(Credential::Code(WRONG)).await;
    assert!(matches!(wrong, Err(ConfirmError::WrongCode)), "{wrong:?}");
    let renewed = account.reauthenticate(Credential::Code(CODE)).await.unwrap();

    let fresh = service.authenticate(&renewed.token).await.unwrap();
    assert!(fresh.is_fresh);
    service.auth.by(&by).account(&fresh).delete(None).await.unwrap();
    assert!(service.auth.users().list(None, 1).await.unwrap().is_empty());
}
