//! Tests that the audit trail records what happens, and keeps it.

use countersign_auth::domain::{Actor, AuditFilter, ChainLink, Client, Duration, Reason, Subject};
use countersign_auth::{AuditError, AuthEventKind, Caller, Credential};

use crate::support::{PASSWORD, Service, browser, cheap};

const NEW_PASSWORD: &str = "quite another set of words";

impl Service {
    async fn trail(&self) -> Vec<(AuthEventKind, Option<Reason>)> {
        let records = self.auth.audit().records(AuditFilter::default(), 1_000).await.unwrap();
        records.iter().rev().map(|record| (record.event.kind, record.event.reason)).collect()
    }
}

#[tokio::test]
async fn everything_that_happens_to_a_user_is_written_down() {
    use AuthEventKind as Kind;
    let service = Service::with_ada().await;
    let begun = service.log_in_with("ada@example.org", PASSWORD, true).await.unwrap();
    let who = service.authenticate(&begun.token).await.unwrap();
    let (ada, caller) = (begun.user.id, browser().in_request("r-1"));
    let (acting, account) = (service.auth.by(&caller), service.auth.by(&caller).account(&who));
    account.reauthenticate(Credential::Password(PASSWORD)).await.unwrap();
    acting.resume(&begun.remember_token.unwrap()).await.unwrap();
    acting.sessions(ada).asked_in(who.session.id).revoke_all().await.unwrap();
    account.change_password(Some(PASSWORD), NEW_PASSWORD).await.unwrap();
    service.try_log_in("ada@example.org", PASSWORD).await.unwrap_err();
    acting.log_out(&who.session).await.unwrap();
    service.admin().set_active(ada, false).await.unwrap();
    service.try_log_in("ada@example.org", NEW_PASSWORD).await.unwrap_err();
    service.admin().set_active(ada, true).await.unwrap();
    service.admin().set_password(&begun.user, PASSWORD).await.unwrap();
    service.admin().delete(ada).await.unwrap();
    service.try_log_in("ada@example.org", PASSWORD).await.unwrap_err();
    let expected = [
        (Kind::UserRegistered, None),
        (Kind::UserLoggedIn, None),
        (Kind::UserLoginConfirmed, None),
        (Kind::UserRemembered, None),
        (Kind::SessionsRevoked, None),
        (Kind::PasswordChanged, None),
        (Kind::UserLoginFailed, Some(Reason::WrongPassword)),
        (Kind::UserLoggedOut, None),
        (Kind::UserDisabled, None),
        (Kind::UserLoginFailed, Some(Reason::Disabled)),
        (Kind::UserEnabled, None),
        (Kind::PasswordChanged, None),
        (Kind::UserDeleted, None),
        (Kind::UserLoginFailed, Some(Reason::UnknownUser)),
    ];
    assert_eq!(service.trail().await, expected);
    assert_eq!(service.auth.audit().verify(None).await.unwrap().records, 14);
}

#[tokio::test]
async fn a_record_says_who_did_it_to_whom_from_where_and_in_which_request() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    let caller = browser().in_request("r-2 \u{1b}[31m\n");
    service.auth.by(&caller).log_out(&begun.session).await.unwrap();
    service.admin().set_active(begun.user.id, false).await.unwrap();
    let records = service.auth.audit().activity(begun.user.id, None, 2).await.unwrap();
    let (by_admin, by_ada) = (&records[0].event, &records[1].event);
    assert_eq!((by_admin.actor, by_ada.actor), (Actor::ADMINISTRATOR, Actor::user(begun.user.id)));
    assert_eq!(by_ada.user, Some(begun.user.id));
    assert_eq!(by_ada.session, Some(begun.session.id));
    assert_eq!(by_ada.client, caller.client);
    assert_eq!(by_ada.request_id.as_deref(), Some("r-2[31m"));
    assert_eq!(by_ada.at, service.auth.now());
}

#[tokio::test]
async fn a_revoked_session_is_the_subject_and_the_user_who_revokes_it_is_the_actor() {
    let service = Service::with_ada().await;
    let here = service.log_in().await;
    let there = service.log_in_with("ada@example.org", PASSWORD, true).await.unwrap();
    let (ada, remembered) = (here.user.id, there.session.remembered.unwrap());
    let caller = browser().acting_as(ada);
    let sessions = service.auth.by(&caller).sessions(ada);
    assert!(sessions.revoke(here.session.id).await.unwrap());
    assert!(sessions.revoke_remembered(remembered).await.unwrap());
    let records = service.auth.audit().activity(ada, None, 2).await.unwrap();
    let subjects = [Subject::remembered(remembered), Subject::session(here.session.id)];
    for (record, subject) in records.iter().zip(subjects) {
        let event = &record.event;
        assert_eq!(event.kind, AuthEventKind::SessionsRevoked);
        assert_eq!(event.subject, Some(subject));
        assert_eq!((event.actor, event.user, event.session), (Actor::user(ada), Some(ada), None));
    }
}

#[tokio::test]
async fn a_user_acts_from_their_login_on_and_a_visitor_before_it() {
    use AuthEventKind as Kind;
    let service = Service::with_ada().await;
    service.try_log_in("ada@example.org", "wrong").await.unwrap_err();
    let begun = service.log_in_with("ada@example.org", PASSWORD, true).await.unwrap();
    let who = service.authenticate(&begun.token).await.unwrap();
    let (ada, account) = (begun.user.id, service.acting().account(&who));
    account.reauthenticate(Credential::Password(PASSWORD)).await.unwrap();
    // Whoever is remembered has proved nothing.
    service.acting().resume(&begun.remember_token.unwrap()).await.unwrap();
    account.change_email("ada@example.com").await.unwrap();
    account.change_username("Lovelace").await.unwrap();
    // What they are called already is no change.
    account.change_email("ada@example.com").await.unwrap();
    account.change_username("Lovelace").await.unwrap();
    account.change_password(Some(PASSWORD), NEW_PASSWORD).await.unwrap();
    account.delete(Some(Credential::Password(NEW_PASSWORD))).await.unwrap();
    let records = service.auth.audit().activity(ada, None, 9).await.unwrap();
    let actors: Vec<_> =
        records.iter().rev().map(|record| (record.event.kind, record.event.actor)).collect();
    let expected = [
        (Kind::UserRegistered, Actor::VISITOR),
        (Kind::UserLoginFailed, Actor::VISITOR),
        (Kind::UserLoggedIn, Actor::user(ada)),
        (Kind::UserLoginConfirmed, Actor::user(ada)),
        (Kind::UserRemembered, Actor::VISITOR),
        (Kind::EmailChanged, Actor::user(ada)),
        (Kind::UsernameChanged, Actor::user(ada)),
        (Kind::PasswordChanged, Actor::user(ada)),
        (Kind::UserDeleted, Actor::user(ada)),
    ];
    assert_eq!(actors, expected);
}

#[tokio::test]
async fn a_program_on_the_sites_own_machine_acts_as_the_command_line() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    let ada = begun.user.id;
    service.auth.by(&Caller::command_line()).admin().set_active(ada, false).await.unwrap();
    let records = service.auth.audit().activity(ada, None, 1).await.unwrap();
    let actor = records[0].event.actor;
    assert_eq!((actor.kind.as_str(), actor.user), ("command_line", None));
    assert_eq!(records[0].event.client, Client::default());
}

#[tokio::test]
async fn revoking_all_sessions_is_written_down_only_if_something_ends() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    let sessions = service.acting().sessions(begun.user.id).asked_in(begun.session.id);
    assert_eq!(sessions.revoke_all().await.unwrap(), 0);
    let kinds = |trail: Vec<(AuthEventKind, _)>| {
        trail.into_iter().filter(|(kind, _)| *kind == AuthEventKind::SessionsRevoked).count()
    };
    assert_eq!(kinds(service.trail().await), 0);
    service.log_in().await;
    assert_eq!(sessions.revoke_all().await.unwrap(), 1);
    assert_eq!(kinds(service.trail().await), 1);
}

#[tokio::test]
async fn nobody_is_named_who_only_claimed_to_be_somebody() {
    let service = Service::with_ada().await;
    service.try_log_in("my-password-in-the-wrong-field@example.org", "wrong").await.unwrap_err();
    let records = service.auth.audit().records(AuditFilter::default(), 1).await.unwrap();
    assert_eq!(records[0].event.reason, Some(Reason::UnknownUser));
    assert!(!format!("{records:?}").contains("wrong-field"));
}

#[tokio::test]
async fn a_session_from_another_browser_is_written_down_once() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    for _ in 0..3 {
        let moved = Caller::visitor(Client::default());
        let there = service.auth.by(&moved).authenticate(&begun.token).await.unwrap().unwrap();
        assert!(!there.is_fresh);
    }
    let protected = AuthEventKind::SessionProtected;
    let times = service.trail().await.into_iter().filter(|(kind, _)| *kind == protected);
    assert_eq!(times.count(), 1);
}

#[tokio::test]
async fn a_trail_that_was_replaced_shows_by_its_noted_end() {
    let service = Service::with_ada().await;
    service.log_in().await;
    let end = service.auth.audit().verify(None).await.unwrap().ends.last;
    service.log_in().await;
    service.auth.audit().verify(Some(end)).await.unwrap();
    let other = ChainLink { hash: [7; 32], ..end };
    let broken = service.auth.audit().verify(Some(other)).await.unwrap_err();
    assert!(matches!(broken, AuditError::Broken(_)), "{broken}");
    let beyond = ChainLink { number: 99, ..end };
    let broken = service.auth.audit().verify(Some(beyond)).await.unwrap_err();
    assert_eq!(broken.to_string(), "the trail should end with record 99, and ends with 3");
}

#[tokio::test]
async fn an_old_trail_loses_its_addresses_and_then_goes() {
    let mut config = cheap();
    config.audit.keep_for = Duration::days(40);
    config.audit.keep_addresses_for = Duration::days(9);
    let service = Service::with(config);
    service.register("ada@example.org").await.unwrap();
    service.advance(Duration::days(10));
    service.log_in().await;
    service.auth.jobs().housekeeping().await.unwrap();
    let records = service.auth.audit().records(AuditFilter::default(), 9).await.unwrap();
    let addresses: Vec<_> =
        records.iter().map(|r| r.event.client.address.unwrap().to_string()).collect();
    assert_eq!(addresses, ["203.0.113.7", "203.0.113.0"]);
    service.auth.audit().verify(None).await.unwrap();
    service.advance(Duration::days(31));
    service.auth.jobs().housekeeping().await.unwrap();
    assert_eq!(service.trail().await, [(AuthEventKind::UserLoggedIn, None)]);
    assert_eq!(service.auth.audit().verify(None).await.unwrap().records, 1);
}
