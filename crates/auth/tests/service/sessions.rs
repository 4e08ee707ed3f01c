//! Tests of the life of a session: remembering, protection, reauthentication, events.

use std::sync::{Arc, Mutex};

use countersign_auth::domain::{
    AuditFilter, Client, Duration, PasswordError, RememberToken, ThrottlePolicy,
};
use countersign_auth::{
    AuthEvent, AuthEventKind, AuthEvents, Caller, ChangePasswordError, ConfirmError, Credential,
    NewSession, Protection, Resumed,
};

use crate::support::{PASSWORD, Service, browser, cheap};

const ADA: &str = "ada@example.org";
const NEW_PASSWORD: &str = "quite another set of words";

impl Service {
    async fn remembered(&self) -> (NewSession, RememberToken) {
        let begun = self.log_in_with(ADA, PASSWORD, true).await.unwrap();
        let token = begun.remember_token.clone().unwrap();
        (begun, token)
    }

    async fn resume(&self, token: &RememberToken) -> Resumed {
        self.acting().resume(token).await.unwrap()
    }

    async fn with_protection(protection: Protection) -> Self {
        let service = Self::with_ada().await;
        service.auth.set_protection(protection);
        service
    }
}

fn session(resumed: Resumed) -> NewSession {
    match resumed {
        Resumed::Session(begun) => *begun,
        other => panic!("no session: {other:?}"),
    }
}

fn another_browser() -> Caller {
    Caller::visitor(Client::new(Some([203, 0, 113, 7].into()), Some("Another/2.0")))
}

#[tokio::test]
async fn who_asked_to_be_remembered_is_after_the_session_has_ended_but_never_fresh() {
    let service = Service::with_ada().await;
    let (first, token) = service.remembered().await;
    service.advance(Duration::days(1));
    assert!(service.authenticate(&first.token).await.is_none());
    let begun = session(service.resume(&token).await);
    let known = service.authenticate(&begun.token).await.unwrap();
    assert_eq!(known.user.id, first.user.id);
    assert!(!known.is_fresh);
    let next = begun.remember_token.unwrap();
    service.advance(Duration::days(1));
    assert!(session(service.resume(&next).await).remember_token.is_some());
}

#[tokio::test]
async fn who_did_not_ask_is_not_remembered() {
    let service = Service::with_ada().await;
    assert!(service.log_in().await.remember_token.is_none());
    let mut config = cheap();
    config.sessions.remember = false;
    let service = Service::with(config);
    service.register(ADA).await.unwrap();
    let begun = service.log_in_with(ADA, PASSWORD, true).await.unwrap();
    assert!(begun.remember_token.is_none());
}

#[tokio::test]
async fn a_login_is_remembered_for_a_fortnight() {
    let service = Service::with_ada().await;
    let (_, token) = service.remembered().await;
    service.advance(Duration::days(14));
    assert!(matches!(service.resume(&token).await, Resumed::Unknown));
}

#[tokio::test]
async fn requests_that_were_under_way_together_have_one_session() {
    let service = Service::with_ada().await;
    let (_, token) = service.remembered().await;
    service.advance(Duration::days(1));
    let first = session(service.resume(&token).await);
    service.advance(Duration::seconds(10));
    for _ in 0..25 {
        let Resumed::Joined(known) = service.resume(&token).await else { panic!("a session") };
        assert!(!known.is_fresh);
        assert_eq!(*known.session, first.session);
    }
    let sessions = service.acting().sessions(first.user.id);
    assert_eq!(sessions.list().await.unwrap(), std::slice::from_ref(&first.session));
    assert!(service.authenticate(&first.token).await.is_some());
    let resumed =
        AuditFilter { kind: Some(AuthEventKind::UserRemembered), ..AuditFilter::default() };
    assert_eq!(service.auth.audit().records(resumed, 99).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_that_are_restored_at_once_are_one_device_and_end_no_other() {
    let mut config = cheap();
    config.sessions.max_per_user = 3;
    let service = Service::with(config);
    service.register(ADA).await.unwrap();
    let phone = service.log_in().await;
    service.advance(Duration::SECOND);
    let (_, token) = service.remembered().await;
    service.advance(Duration::minutes(5));
    let tabs = (0..25).map(|_| {
        let (auth, token) = (service.auth.clone(), token.clone());
        tokio::spawn(async move { auth.by(&browser()).resume(&token).await.unwrap() })
    });
    let mut begun = Vec::new();
    for tab in tabs.collect::<Vec<_>>() {
        match tab.await.unwrap() {
            Resumed::Session(session) => begun.push(session.session),
            Resumed::Joined(_) => {}
            other => panic!("no session: {other:?}"),
        }
    }
    assert_eq!(begun.len(), 1);
    assert!(service.authenticate(&phone.token).await.is_some());
    let sessions = service.acting().sessions(phone.user.id).list().await.unwrap();
    assert_eq!(sessions.iter().map(|s| s.id).collect::<Vec<_>>(), [begun[0].id, phone.session.id]);
}

#[tokio::test]
async fn a_remembered_login_begins_so_many_sessions_and_its_address_so_many() {
    let service = Service::with_ada().await;
    let (begun, mut token) = service.remembered().await;
    let next = async |token: &RememberToken| match service.resume(token).await {
        Resumed::Session(begun) => Ok(begun.remember_token.unwrap()),
        Resumed::Throttled(throttled) => Err(throttled.retry_after.as_secs()),
        other => panic!("neither: {other:?}"),
    };
    for _ in 0..30 {
        token = next(&token).await.unwrap();
    }
    assert_eq!(next(&token).await.unwrap_err(), 600);
    assert_eq!(service.acting().sessions(begun.user.id).list().await.unwrap().len(), 1);
    let (_, other) = service.remembered().await;
    next(&other).await.unwrap();
    service.advance(Duration::minutes(10));
    // The login stands, and so does its secret.
    next(&token).await.unwrap();
    let mut config = cheap();
    let mut policy = ThrottlePolicy::default();
    policy.address_resumptions.tries = 2;
    config.throttle = Some(policy);
    let service = Service::with(config);
    service.register(ADA).await.unwrap();
    let mut last = None;
    for _ in 0..3 {
        let (_, token) = service.remembered().await;
        last = Some(service.resume(&token).await);
    }
    assert!(matches!(last, Some(Resumed::Throttled(_))), "{last:?}");
}

#[tokio::test]
async fn a_lost_answer_is_no_theft_and_begins_a_session_in_place_of_the_lost_one() {
    let service = Service::with_ada().await;
    let (_, token) = service.remembered().await;
    let lost = session(service.resume(&token).await);
    service.advance(Duration::seconds(11));
    let begun = session(service.resume(&token).await);
    assert!(service.authenticate(&lost.token).await.is_none());
    assert!(service.authenticate(&begun.token).await.is_some());
    assert_eq!(service.acting().sessions(begun.user.id).list().await.unwrap().len(), 1);
    session(service.resume(&begun.remember_token.unwrap()).await);
}

#[tokio::test]
async fn where_protection_is_strong_another_browser_ends_what_it_shows_the_token_of() {
    for (protection, ends) in [(Protection::Strong, true), (Protection::Basic, false)] {
        let service = Service::with_protection(protection).await;
        let (begun, token) = service.remembered().await;
        let resumed = service.auth.by(&another_browser()).resume(&token).await.unwrap();
        assert_eq!(matches!(resumed, Resumed::Unknown), ends, "{resumed:?}");
        let left = service.acting().sessions(begun.user.id).remembered().await.unwrap();
        assert_eq!(left.is_empty(), ends);
        assert!(service.authenticate(&begun.token).await.is_none(), "it has ended or was replaced");
        let told = service.auth.audit().activity(begun.user.id, None, 1).await.unwrap();
        assert_eq!(told[0].event.kind == AuthEventKind::SessionProtected, ends);
    }
}

#[tokio::test]
async fn a_user_is_remembered_on_as_many_devices_as_they_may_have() {
    let mut config = cheap();
    config.sessions.max_per_user = 3;
    let service = Service::with(config);
    service.register(ADA).await.unwrap();
    for _ in 0..9 {
        service.remembered().await;
        service.advance(Duration::SECOND);
    }
    let (begun, token) = service.remembered().await;
    let sessions = service.acting().sessions(begun.user.id);
    assert_eq!(sessions.remembered().await.unwrap().len(), 3);
    session(service.resume(&token).await);
}

#[tokio::test]
async fn a_stolen_login_ends_for_thief_and_owner_and_somebody_hears_of_it() {
    let service = Service::with_ada().await;
    let heard = Heard::by(&service);
    let (first, token) = service.remembered().await;
    let thiefs = session(service.resume(&token).await);
    service.advance(Duration::seconds(11));
    // The owner shows the secret that the thief has used, as if an answer had been lost.
    let owners = session(service.resume(&token).await);
    assert!(matches!(service.resume(&thiefs.remember_token.unwrap()).await, Resumed::Stolen));
    for token in [&first.token, &thiefs.token, &owners.token] {
        assert!(service.authenticate(token).await.is_none());
    }
    let owners = owners.remember_token.unwrap();
    assert!(matches!(service.resume(&owners).await, Resumed::Unknown));
    assert!(heard.kinds(&service).await.contains(&AuthEventKind::RememberedStolen));
}

#[tokio::test]
async fn logging_out_forgets() {
    let service = Service::with_ada().await;
    let (begun, token) = service.remembered().await;
    service.acting().log_out(&begun.session).await.unwrap();
    assert!(matches!(service.resume(&token).await, Resumed::Unknown));
}

#[tokio::test]
async fn a_session_from_another_browser_is_not_fresh_there() {
    let service = Service::with_protection(Protection::Basic).await;
    let begun = service.log_in().await;
    let there = service.auth.by(&another_browser()).authenticate(&begun.token).await.unwrap();
    assert!(!there.unwrap().is_fresh);
    assert!(service.authenticate(&begun.token).await.unwrap().is_fresh);
}

#[tokio::test]
async fn a_session_from_another_browser_ends_where_protection_is_strong() {
    let service = Service::with_protection(Protection::Strong).await;
    let heard = Heard::by(&service);
    let begun = service.log_in().await;
    let there = service.auth.by(&another_browser()).authenticate(&begun.token).await.unwrap();
    assert!(there.is_none());
    assert!(service.authenticate(&begun.token).await.is_none());
    assert!(heard.kinds(&service).await.contains(&AuthEventKind::SessionProtected));
}

#[tokio::test]
async fn a_session_from_another_browser_is_as_good_where_protection_is_off() {
    let service = Service::with_protection(Protection::Off).await;
    let begun = service.log_in().await;
    let there = service.auth.by(&another_browser()).authenticate(&begun.token).await.unwrap();
    assert!(there.unwrap().is_fresh);
}

#[tokio::test]
async fn protection_is_set_once_and_for_all_clones() {
    let service = Service::with_ada().await;
    let clone = service.auth.clone();
    service.auth.set_protection(Protection::Strong);
    clone.set_protection(Protection::Off);
    for auth in [&service.auth, &clone] {
        let begun = service.log_in().await;
        let there = auth.by(&another_browser()).authenticate(&begun.token).await.unwrap();
        assert!(there.is_none());
    }
}

#[tokio::test]
async fn an_address_may_change() {
    let service = Service::with_protection(Protection::Strong).await;
    let begun = service.log_in().await;
    let moved = Client { address: Some([198, 51, 100, 9].into()), ..browser().client };
    let moved = Caller::visitor(moved);
    let there = service.auth.by(&moved).authenticate(&begun.token).await.unwrap();
    assert!(there.unwrap().is_fresh);
}

#[tokio::test]
async fn a_stale_session_is_fresh_again_after_the_password_and_has_a_new_token() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    service.advance(Duration::minutes(15));
    let stale = service.authenticate(&begun.token).await.unwrap();
    assert!(!stale.is_fresh);
    let heard = Heard::by(&service);
    let wrong = service
        .acting()
        .account(&stale)
        .reauthenticate(Credential::Password("wrong"))
        .await
        .unwrap_err();
    assert!(matches!(wrong, ConfirmError::WrongPassword), "{wrong}");
    assert_eq!(heard.kinds(&service).await, [AuthEventKind::UserLoginFailed]);
    assert!(!service.authenticate(&begun.token).await.unwrap().is_fresh);
    let token = service
        .acting()
        .account(&stale)
        .reauthenticate(Credential::Password(PASSWORD))
        .await
        .unwrap()
        .token;
    assert!(service.authenticate(&begun.token).await.is_none());
    let fresh = service.authenticate(&token).await.unwrap();
    assert!(fresh.is_fresh);
    assert_eq!(fresh.session.id, begun.session.id);
}

#[tokio::test]
async fn changing_the_password_logs_out_everywhere_else_and_forgets_everywhere() {
    let service = Service::with_ada().await;
    let (elsewhere, token) = service.remembered().await;
    let here = service.log_in().await;
    let who = service.authenticate(&here.token).await.unwrap();
    let change = async |current, new| {
        service.acting().account(&who).change_password(Some(current), new).await
    };
    let error = change("wrong", NEW_PASSWORD).await.unwrap_err();
    assert!(matches!(error, ChangePasswordError::WrongPassword(_)), "{error}");
    let error = change(PASSWORD, "short").await.unwrap_err();
    let too_short = PasswordError::TooShort { min: 15, got: 5 };
    assert!(matches!(error, ChangePasswordError::New(e) if e == too_short), "{error}");
    let renewed = change(PASSWORD, NEW_PASSWORD).await.unwrap().renewed;
    assert!(service.authenticate(&elsewhere.token).await.is_none());
    assert!(matches!(service.resume(&token).await, Resumed::Unknown));
    assert!(service.authenticate(&here.token).await.is_none());
    assert!(service.authenticate(&renewed.token).await.unwrap().is_fresh);
    assert!(service.try_log_in(ADA, PASSWORD).await.is_err());
    assert!(service.try_log_in(ADA, NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn an_account_is_deleted_by_whoever_types_its_password() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    let who = service.authenticate(&begun.token).await.unwrap();
    assert!(
        service.acting().account(&who).delete(Some(Credential::Password("wrong"))).await.is_err()
    );
    assert!(service.authenticate(&begun.token).await.is_some());
    service.acting().account(&who).delete(Some(Credential::Password(PASSWORD))).await.unwrap();
    assert!(service.authenticate(&begun.token).await.is_none());
    assert!(service.register(ADA).await.is_ok(), "the address is free again");
}

#[tokio::test]
async fn the_last_use_is_known_at_once_and_written_behind() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    service.advance(Duration::minutes(5));
    let now = service.auth.now();
    service.authenticate(&begun.token).await.unwrap();
    let sessions = service.acting().sessions(begun.user.id).list().await.unwrap();
    assert_eq!(sessions.first().map(|session| session.last_seen_at), Some(now));
    service.auth.jobs().housekeeping().await.unwrap();
    let sessions = service.acting().sessions(begun.user.id).list().await.unwrap();
    assert_eq!(sessions.first().map(|session| session.last_seen_at), Some(now));
}

#[tokio::test]
async fn housekeeping_keeps_what_stands_and_removes_what_does_not() {
    let service = Service::with_ada().await;
    let (_, token) = service.remembered().await;
    let used = service.log_in().await;
    for _ in 0..4 {
        service.advance(Duration::minutes(20));
        service.auth.jobs().housekeeping().await.unwrap();
        assert!(service.authenticate(&used.token).await.is_some());
    }
    assert_eq!(service.acting().sessions(used.user.id).list().await.unwrap().len(), 1);
    assert!(matches!(service.resume(&token).await, Resumed::Session(_)));
}

/// The events that a listener has received.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<AuthEvent>>>);

impl AuthEvents for Heard {
    fn on(&self, event: &AuthEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Heard {
    fn by(service: &Service) -> Self {
        let heard = Self::default();
        service.auth.listen(heard.clone()).unwrap();
        heard
    }

    async fn kinds(&self, service: &Service) -> Vec<AuthEventKind> {
        service.auth.settle().await;
        self.0.lock().unwrap().iter().map(|event| event.kind).collect()
    }
}

#[tokio::test]
async fn listeners_hear_of_everything_in_order() {
    let service = Service::new();
    let (one, two) = (Heard::by(&service), Heard::by(&service));
    service.register(ADA).await.unwrap();
    assert!(service.try_log_in(ADA, "wrong").await.is_err());
    let begun = service.log_in().await;
    let who = service.authenticate(&begun.token).await.unwrap();
    service.acting().account(&who).reauthenticate(Credential::Password(PASSWORD)).await.unwrap();
    service.acting().log_out(&begun.session).await.unwrap();
    let expected = [
        AuthEventKind::UserRegistered,
        AuthEventKind::UserLoginFailed,
        AuthEventKind::UserLoggedIn,
        AuthEventKind::UserLoginConfirmed,
        AuthEventKind::UserLoggedOut,
    ];
    assert_eq!(one.kinds(&service).await, expected);
    assert_eq!(two.kinds(&service).await, expected);
    let events = one.0.lock().unwrap().clone();
    let [_, failed, logged_in, ..] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(failed.user, logged_in.user);
    assert_eq!(logged_in.user, Some(begun.user.id));
    assert_eq!(logged_in.session, Some(begun.session.id));
    assert_eq!(logged_in.client, browser().client);
}

#[tokio::test]
async fn a_listener_that_panics_or_hangs_harms_no_login() {
    struct Panics;
    impl AuthEvents for Panics {
        fn on(&self, _: &AuthEvent) {
            panic!("on purpose");
        }
    }
    struct Hangs;
    impl AuthEvents for Hangs {
        fn on(&self, _: &AuthEvent) {
            std::thread::park();
        }
    }
    let service = Service::with_ada().await;
    let heard = Heard::by(&service);
    service.auth.listen(Panics).unwrap();
    service.auth.listen(Hangs).unwrap();
    for _ in 0..3 {
        service.log_in().await;
    }
    let deadline = std::time::Duration::from_secs(10);
    let all = async {
        while heard.0.lock().unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(deadline, all).await.unwrap();
}
