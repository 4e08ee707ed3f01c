//! Tests of logins that wait for a second factor.

use async_trait::async_trait;
use countersign_auth::domain::memory::MemoryStore;
use countersign_auth::domain::{
    Actor, AuditFilter, AuditStore, Client, Duration, Method, OffsetDateTime, PendingLogin,
    PendingStore, Reason, RememberStore, SessionStore, Store, StoreError, ThrottleStore,
    TokenDigest, UserId, UserStore,
};
use countersign_auth::{
    AuthEventKind, Caller, ConfirmError, Credential, FactorError, LogIn, LogInError, LoginState,
    NewPendingLogin,
};
use tokio::sync::Barrier;

use crate::support::{PASSWORD, Service, cheap, complete, waiting};

const ADA: &str = "ada@example.org";
const CODE: &str = "271828";

impl Service {
    /// Starts a service, and registers `ada`, who has a second factor.
    async fn with_factor() -> (Self, UserId) {
        let service = Self::new();
        let ada = service.register(ADA).await.unwrap();
        service.auth.testing().require_factor(ada, CODE);
        (service, ada)
    }

    /// Logs `ada` in by her password, up to the second factor.
    async fn password_right(&self) -> NewPendingLogin {
        waiting(self.acting().log_in(LogIn::new(ADA, PASSWORD)).await.unwrap())
    }

    async fn verify(
        &self,
        pending: &NewPendingLogin,
        code: &str,
    ) -> Result<LoginState, FactorError> {
        self.acting().verify_factor(&pending.token, code).await
    }

    async fn factors(&self, pending: &NewPendingLogin) -> Option<Vec<Method>> {
        self.acting().pending_factors(&pending.token).await.unwrap()
    }

    /// Asserts that a waiting login has ended, even for the right code.
    async fn assert_ended(&self, pending: &NewPendingLogin) {
        assert_eq!(self.factors(pending).await, None);
        let done = self.verify(pending, CODE).await;
        assert!(matches!(done, Err(FactorError::Ended)), "{done:?}");
    }

    async fn sessions_of(&self, user: UserId) -> usize {
        self.acting().sessions(user).list().await.unwrap().len()
    }
}

#[tokio::test]
async fn the_right_password_alone_logs_in_nobody_who_has_a_second_factor() {
    let (service, ada) = Service::with_factor().await;
    let pending = service.password_right().await;
    assert_eq!(pending.factors, [Method::TestFactor]);
    assert_eq!(pending.expires_at, service.auth.now() + Duration::minutes(10));
    assert_eq!(service.factors(&pending).await, Some(vec![Method::TestFactor]));
    assert!(service.authenticate(&pending.token).await.is_none());
    assert_eq!(service.sessions_of(ada).await, 0);
    let filter = AuditFilter { kind: Some(AuthEventKind::UserLoggedIn), ..AuditFilter::default() };
    assert!(service.auth.audit().records(filter, 9).await.unwrap().is_empty());
    // Its owner sees that somebody has the password.
    let last = service.auth.audit().activity(ada, None, 1).await.unwrap().remove(0).event;
    assert_eq!((last.kind, last.session), (AuthEventKind::UserFactorRequired, None));
}

#[tokio::test]
async fn an_application_that_vouches_for_a_user_does_not_replace_their_second_factor() {
    let (service, ada) = Service::with_factor().await;
    let user = service.auth.users().by_id(ada).await.unwrap().unwrap();
    let state = service.acting().log_in_user(&user, true).await.unwrap().unwrap();
    let pending = waiting(state);
    assert_eq!(service.sessions_of(ada).await, 0);
    let begun = complete(service.verify(&pending, CODE).await.unwrap());
    assert_eq!(begun.session.methods.to_string(), "app test");
    assert!(begun.remember_token.is_some());
}

#[tokio::test]
async fn the_right_code_completes_the_login_once() {
    let (service, ada) = Service::with_factor().await;
    let pending = service.password_right().await;
    let begun = complete(service.verify(&pending, CODE).await.unwrap());
    assert_eq!(begun.session.methods.to_string(), "pwd test");
    assert!(begun.remember_token.is_none());
    let known = service.authenticate(&begun.token).await.unwrap();
    assert!(known.is_fresh);
    assert_eq!((known.user.id, &*known.session), (ada, &begun.session));
    service.assert_ended(&pending).await;
    assert_eq!(service.sessions_of(ada).await, 1);
}

#[tokio::test]
async fn a_user_who_asks_to_be_remembered_is_after_the_second_factor() {
    let (service, _) = Service::with_factor().await;
    let attempt = LogIn::new(ADA, PASSWORD).remember(true);
    let pending = waiting(service.acting().log_in(attempt).await.unwrap());
    let begun = complete(service.verify(&pending, CODE).await.unwrap());
    assert!(begun.remember_token.is_some() && begun.session.remembered.is_some());
}

#[tokio::test]
async fn a_wrong_code_is_recorded_and_the_login_waits_on() {
    let (service, ada) = Service::with_factor().await;
    let pending = service.password_right().await;
    let wrong = service.verify(&pending, "314159").await;
    assert!(matches!(wrong, Err(FactorError::WrongCode)), "{wrong:?}");
    let records = service.auth.audit().activity(ada, None, 1).await.unwrap();
    let event = &records[0].event;
    assert_eq!(event.kind, AuthEventKind::UserLoginFailed);
    assert_eq!(event.reason, Some(Reason::WrongCode));
    assert_eq!((event.actor, event.session), (Actor::VISITOR, None));
    assert_eq!(service.sessions_of(ada).await, 0);
    complete(service.verify(&pending, CODE).await.unwrap());
}

#[tokio::test]
async fn the_fifth_wrong_code_ends_the_login() {
    let (service, ada) = Service::with_factor().await;
    let pending = service.password_right().await;
    for _ in 0..5 {
        let wrong = service.verify(&pending, "314159").await;
        assert!(matches!(wrong, Err(FactorError::WrongCode)), "{wrong:?}");
    }
    let ended = service.verify(&pending, CODE).await;
    assert!(matches!(ended, Err(FactorError::Ended)), "{ended:?}");
    assert_eq!(service.sessions_of(ada).await, 0);
    // The next login waits for its own code.
    let next = service.password_right().await;
    complete(service.verify(&next, CODE).await.unwrap());
}

/// Returns a caller from a different network for each number.
fn stranger(n: u32) -> Caller {
    let address = std::net::Ipv4Addr::from_bits(0x0B00_0000 + n * 256);
    Caller::visitor(Client::new(Some(address.into()), Some("Test/1.0")))
}

#[tokio::test]
async fn an_account_takes_ten_codes_in_a_quarter_of_an_hour_over_all_its_logins() {
    let (service, ada) = Service::with_factor().await;
    let (one, two) = (service.password_right().await, service.password_right().await);
    for n in 0..10 {
        let (caller, login) = (stranger(n), if n % 2 == 0 { &one } else { &two });
        let wrong = service.auth.by(&caller).verify_factor(&login.token, "314159").await;
        assert!(matches!(wrong, Err(FactorError::WrongCode)), "{wrong:?}");
    }
    // The password is right each time, which lets in no more codes.
    service.advance(Duration::minutes(5));
    let pending = service.password_right().await;
    let refused = service.verify(&pending, CODE).await;
    let Err(FactorError::Throttled(throttled)) = refused else { panic!("{refused:?}") };
    assert_eq!(throttled.retry_after.as_secs(), 600);
    let closed = AuditFilter { kind: Some(AuthEventKind::UserThrottled), ..AuditFilter::default() };
    let closed = service.auth.audit().records(closed, 9).await.unwrap();
    assert_eq!(closed.iter().map(|r| r.event.user).collect::<Vec<_>>(), [Some(ada)]);
    service.advance(Duration::minutes(9));
    let pending = service.password_right().await;
    for _ in 0..6 {
        let refused = service.verify(&pending, CODE).await;
        assert!(matches!(refused, Err(FactorError::Throttled(_))), "{refused:?}");
    }
    // Codes that were not let in did not use the login up.
    service.advance(Duration::minutes(1));
    complete(service.verify(&pending, CODE).await.unwrap());
}

#[tokio::test]
async fn codes_that_confirm_a_login_and_codes_that_complete_one_are_counted_together() {
    let (service, _) = Service::with_factor().await;
    let pending = service.password_right().await;
    let begun = complete(service.verify(&pending, CODE).await.unwrap());
    let who = service.authenticate(&begun.token).await.unwrap();
    let pending = service.password_right().await;
    for n in 0..5 {
        if n < 4 {
            let wrong = service.verify(&pending, "314159").await;
            assert!(matches!(wrong, Err(FactorError::WrongCode)), "{wrong:?}");
        }
        let caller = stranger(n);
        let account = service.auth.by(&caller).account(&who);
        let wrong = account.reauthenticate(Credential::Code("314159")).await;
        assert!(matches!(wrong, Err(ConfirmError::WrongCode)), "{wrong:?}");
    }
    let last = service.verify(&pending, "314159").await;
    assert!(matches!(last, Err(FactorError::WrongCode)), "{last:?}");
    let pending = service.password_right().await;
    let refused = service.verify(&pending, CODE).await;
    assert!(matches!(refused, Err(FactorError::Throttled(_))), "{refused:?}");
    let caller = stranger(99);
    let account = service.auth.by(&caller).account(&who);
    let refused = account.reauthenticate(Credential::Code(CODE)).await;
    assert!(matches!(refused, Err(ConfirmError::Throttled(_))), "{refused:?}");
}

#[tokio::test]
async fn a_completed_login_forgets_the_codes_before_it() {
    let (service, _) = Service::with_factor().await;
    for _ in 0..4 {
        let pending = service.password_right().await;
        for _ in 0..4 {
            service.verify(&pending, "314159").await.unwrap_err();
        }
        complete(service.verify(&pending, CODE).await.unwrap());
    }
}

#[tokio::test]
async fn a_login_waits_for_ten_minutes() {
    let (service, _) = Service::with_factor().await;
    let (one, two) = (service.password_right().await, service.password_right().await);
    service.advance(Duration::minutes(10) - Duration::microseconds(1));
    complete(service.verify(&one, CODE).await.unwrap());
    service.advance(Duration::microseconds(1));
    service.assert_ended(&two).await;
}

#[tokio::test]
async fn a_waiting_login_ends_with_a_new_password() {
    let (service, ada) = Service::with_factor().await;
    let pending = service.password_right().await;
    let user = service.auth.users().by_id(ada).await.unwrap().unwrap();
    // The same words again are another hash.
    service.admin().set_password(&user, PASSWORD).await.unwrap();
    service.assert_ended(&pending).await;
}

#[tokio::test]
async fn a_waiting_login_ends_when_its_user_is_disabled_or_deleted() {
    let (service, ada) = Service::with_factor().await;
    let pending = service.password_right().await;
    service.admin().set_active(ada, false).await.unwrap();
    service.assert_ended(&pending).await;
    service.admin().set_active(ada, true).await.unwrap();
    service.assert_ended(&pending).await;
    let pending = service.password_right().await;
    service.admin().delete(ada).await.unwrap();
    service.assert_ended(&pending).await;
}

#[tokio::test]
async fn a_waiting_login_ends_when_it_is_given_up() {
    let (service, _) = Service::with_factor().await;
    let (one, two) = (service.password_right().await, service.password_right().await);
    service.acting().give_up_login(&one.token).await.unwrap();
    service.assert_ended(&one).await;
    service.acting().give_up_login(&one.token).await.unwrap();
    complete(service.verify(&two, CODE).await.unwrap());
}

/// A store without known browsers. It keeps waiting logins if it has a barrier, at which tries to complete them meet
/// after they were counted.
struct Pending(MemoryStore, Option<Barrier>);

#[async_trait]
impl Store for Pending {
    fn users(&self) -> &dyn UserStore {
        &self.0
    }

    fn sessions(&self) -> &dyn SessionStore {
        &self.0
    }

    fn remembered(&self) -> &dyn RememberStore {
        &self.0
    }

    fn throttle(&self) -> &dyn ThrottleStore {
        &self.0
    }

    fn audit(&self) -> &dyn AuditStore {
        &self.0
    }

    fn pending(&self) -> Option<&dyn PendingStore> {
        self.1.is_some().then_some(self as &dyn PendingStore)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl PendingStore for Pending {
    async fn save_pending(
        &self,
        login: &PendingLogin,
        token: &TokenDigest,
    ) -> Result<(), StoreError> {
        self.0.save_pending(login, token).await
    }

    async fn pending_by_token(
        &self,
        token: &TokenDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingLogin>, StoreError> {
        self.0.pending_by_token(token, now).await
    }

    async fn try_pending(
        &self,
        token: &TokenDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingLogin>, StoreError> {
        let tried = self.0.try_pending(token, now).await;
        if let Some(barrier) = &self.1 {
            barrier.wait().await;
        }
        tried
    }

    async fn end_pending(&self, token: &TokenDigest) -> Result<bool, StoreError> {
        self.0.end_pending(token).await
    }

    async fn purge_pending(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.0.purge_pending(now, limit).await
    }
}

#[tokio::test]
async fn of_two_right_codes_at_once_one_completes_the_login() {
    let service = Service::over(Pending(MemoryStore::default(), Some(Barrier::new(2))), cheap());
    let ada = service.register(ADA).await.unwrap();
    service.auth.testing().require_factor(ada, CODE);
    let pending = service.password_right().await;
    let (one, two) = tokio::join!(service.verify(&pending, CODE), service.verify(&pending, CODE));
    let done = [one, two];
    let complete = done.iter().filter(|done| matches!(done, Ok(LoginState::Complete(_))));
    assert_eq!(complete.count(), 1, "{done:?}");
    let ended = done.iter().filter(|done| matches!(done, Err(FactorError::Ended)));
    assert_eq!(ended.count(), 1, "{done:?}");
    assert_eq!(service.sessions_of(ada).await, 1);
}

#[tokio::test]
async fn a_login_that_is_not_completed_stays_counted_as_a_try() {
    let (service, _) = Service::with_factor().await;
    for _ in 0..4 {
        service.try_log_in(ADA, "wrong").await.unwrap_err();
    }
    service.password_right().await;
    let refused = service.try_log_in(ADA, PASSWORD).await.unwrap_err();
    assert!(matches!(refused, LogInError::Throttled(_)), "{refused}");
}

#[tokio::test]
async fn a_login_that_is_completed_gives_the_tries_back() {
    let (service, _) = Service::with_factor().await;
    for _ in 0..4 {
        service.try_log_in(ADA, "wrong").await.unwrap_err();
    }
    let pending = service.password_right().await;
    complete(service.verify(&pending, CODE).await.unwrap());
    for _ in 0..4 {
        let wrong = service.try_log_in(ADA, "wrong").await.unwrap_err();
        assert!(matches!(wrong, LogInError::WrongCredentials), "{wrong}");
    }
}

#[tokio::test]
async fn logins_that_are_completed_are_no_failures_of_their_address() {
    let (service, _) = Service::with_factor().await;
    // An address may fail ten times a minute.
    for _ in 0..12 {
        let pending = service.password_right().await;
        complete(service.verify(&pending, CODE).await.unwrap());
    }
}

#[tokio::test]
async fn a_store_that_keeps_no_waiting_logins_lets_nobody_in_who_has_a_second_factor() {
    let service = Service::over(Pending(MemoryStore::default(), None), cheap());
    let ada = service.register(ADA).await.unwrap();
    service.log_in().await;
    service.auth.testing().require_factor(ada, CODE);
    let refused = service.try_log_in(ADA, PASSWORD).await.unwrap_err();
    assert!(matches!(refused, LogInError::Store(_)), "{refused}");
    assert_eq!(service.sessions_of(ada).await, 1);
}

#[tokio::test]
async fn a_disabled_user_for_whom_an_application_vouches_waits_for_no_factor() {
    let (service, ada) = Service::with_factor().await;
    let user = service.auth.users().by_id(ada).await.unwrap().unwrap();
    service.admin().set_active(ada, false).await.unwrap();
    assert!(service.acting().log_in_user(&user, false).await.unwrap().is_none());
    service.admin().delete(ada).await.unwrap();
    assert!(service.acting().log_in_user(&user, false).await.unwrap().is_none());
}
