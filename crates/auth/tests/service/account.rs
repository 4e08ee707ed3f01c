//! Tests of users who have no password: how they prove who they are, and what a fresh login is enough for.

use countersign_auth::domain::memory::MemoryStore;
use countersign_auth::domain::{
    Actor, AuditEntry, Client, Duration, EmailAddress, Reason, Record, User, UserId, UserStore,
    Username,
};
use countersign_auth::{
    AuthEvent, AuthEventKind, Authenticated, Caller, ChangePasswordError, ConfirmError, Credential,
};
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;

use crate::support::{Service, browser, cheap, complete};

const ADA: &str = "ada@example.org";
const CODE: &str = "271828";
const NEW_PASSWORD: &str = "quite another set of words";

impl Service {
    /// Starts a service, and saves a user without a password.
    async fn without_password() -> (Self, User) {
        let store = MemoryStore::default();
        let service = Self::over(store.clone(), cheap());
        let (now, rng) = (service.auth.now(), &mut UnwrapErr(SysRng));
        let (email, username) =
            (EmailAddress::parse(ADA).unwrap(), Username::parse("Ada").unwrap());
        let user = User::new(UserId::generate(now, rng), email, username, now);
        let event = AuthEvent::new(AuthEventKind::UserRegistered, Actor::VISITOR, now);
        let record = Record::new(AuditEntry::new(event, rng));
        store.insert_user(&user, &record).await.unwrap();
        (service, user)
    }

    /// Logs in a user for whom the application vouches and who has no second factor.
    async fn vouched(&self, user: &User) -> Authenticated {
        let state = self.acting().log_in_user(user, false).await.unwrap().unwrap();
        self.authenticate(&complete(state).token).await.unwrap()
    }
}

#[tokio::test]
async fn a_user_without_a_password_reauthenticates_by_a_code() {
    let (service, user) = Service::without_password().await;
    let who = service.vouched(&user).await;
    service.auth.testing().require_factor(user.id, CODE);
    service.advance(Duration::minutes(15));
    let reauthenticate =
        async |code| service.acting().account(&who).reauthenticate(Credential::Code(code)).await;
    let wrong = reauthenticate("314159").await.unwrap_err();
    assert!(matches!(wrong, ConfirmError::WrongCode), "{wrong}");
    let records = service.auth.audit().activity(user.id, None, 1).await.unwrap();
    let event = &records[0].event;
    assert_eq!(event.reason, Some(Reason::WrongCode));
    assert_eq!((event.actor, event.session), (Actor::user(user.id), Some(who.session.id)));
    let renewed = reauthenticate(CODE).await.unwrap();
    let known = service.authenticate(&renewed.token).await.unwrap();
    assert!(known.is_fresh);
    assert_eq!(known.session.methods.to_string(), "app test");
}

#[tokio::test]
async fn wrong_codes_in_a_session_are_slowed_down_like_wrong_passwords() {
    let (service, user) = Service::without_password().await;
    let who = service.vouched(&user).await;
    service.auth.testing().require_factor(user.id, CODE);
    let delete =
        async |code| service.acting().account(&who).delete(Some(Credential::Code(code))).await;
    for _ in 0..5 {
        assert!(matches!(delete("314159").await, Err(ConfirmError::WrongCode)));
    }
    assert!(matches!(delete(CODE).await, Err(ConfirmError::Throttled(_))));
}

#[tokio::test]
async fn a_user_without_a_password_deletes_their_account_by_a_code() {
    let (service, user) = Service::without_password().await;
    let who = service.vouched(&user).await;
    service.auth.testing().require_factor(user.id, CODE);
    service.advance(Duration::minutes(15));
    let code = Some(Credential::Code(CODE));
    service.acting().account(&who).delete(code).await.unwrap();
    assert_eq!(service.auth.users().by_id(user.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_user_without_a_password_sets_one_with_a_fresh_login_alone() {
    let (service, user) = Service::without_password().await;
    let (elsewhere, here) = (service.vouched(&user).await, service.vouched(&user).await);
    let account = service.acting().account(&here);
    let changed = account.change_password(None, NEW_PASSWORD).await.unwrap();
    let sessions = service.acting().sessions(user.id).list().await.unwrap();
    assert!(sessions.iter().all(|session| session.id != elsewhere.session.id));
    let known = service.authenticate(&changed.renewed.token).await.unwrap();
    assert_eq!(known.session.id, here.session.id);
    service.try_log_in(ADA, NEW_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_user_without_a_password_deletes_their_account_with_a_fresh_login_alone() {
    let (service, user) = Service::without_password().await;
    let who = service.vouched(&user).await;
    service.acting().account(&who).delete(None).await.unwrap();
    assert_eq!(service.auth.users().by_id(user.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_stale_login_alone_changes_no_password_and_deletes_no_account() {
    let (service, user) = Service::without_password().await;
    let begun = service.acting().log_in_user(&user, false).await.unwrap().unwrap();
    let token = complete(begun).token;
    service.advance(Duration::minutes(15));
    let who = service.authenticate(&token).await.unwrap();
    assert_stale(&service, &browser(), &who).await;
    // A session that was fresh a moment ago is not where its token comes from another browser.
    let fresh = service.acting().log_in_user(&user, false).await.unwrap().unwrap();
    let elsewhere = Caller::visitor(Client::new(None, Some("Another/2.0")));
    let moved = service.auth.by(&elsewhere).authenticate(&complete(fresh).token).await.unwrap();
    assert_stale(&service, &elsewhere, &moved.unwrap()).await;
    assert!(service.auth.users().by_id(user.id).await.unwrap().unwrap().password_hash.is_none());
}

async fn assert_stale(service: &Service, caller: &Caller, who: &Authenticated) {
    let account = service.auth.by(caller).account(who);
    let changed = account.change_password(None, NEW_PASSWORD).await;
    let is_refused = matches!(changed, Err(ChangePasswordError::Current(ConfirmError::NotFresh)));
    assert!(is_refused, "{changed:?}");
    let deleted = account.delete(None).await;
    assert!(matches!(deleted, Err(ConfirmError::NotFresh)), "{deleted:?}");
}

#[tokio::test]
async fn a_fresh_login_alone_is_not_enough_for_a_user_who_has_a_password() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    let who = service.authenticate(&begun.token).await.unwrap();
    let account = service.acting().account(&who);
    let changed = account.change_password(None, NEW_PASSWORD).await;
    assert!(matches!(changed, Err(ChangePasswordError::Current(_))), "{changed:?}");
    assert!(account.delete(None).await.is_err());
    service.auth.testing().require_factor(who.user.id, CODE);
    assert!(account.delete(Some(Credential::Code(CODE))).await.is_err(), "nor is a code");
    assert_eq!(service.auth.users().list(None, 9).await.unwrap().len(), 1);
}
