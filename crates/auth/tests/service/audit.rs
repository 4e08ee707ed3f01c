//! Tests that the audit trail records what happens, and keeps it.

use countersign_auth::domain::contract::any_record;
use countersign_auth::domain::memory::MemoryStore;
use countersign_auth::domain::{
    Actor, Ageing, AgeingRule, AuditEntry, AuditFilter, AuthEvent, ChainLink, Client, Duration,
    Reason, Record, Store, Subject,
};
use countersign_auth::{
    AuditCheck, AuditError, AuditProgress, AuditReport, Auth, AuthConfig, AuthEventKind, Caller,
    Credential, NewSession, NotedPlace, Resumed,
};
use std::sync::Mutex;

use crate::support::{PASSWORD, Service, browser, cheap};

const NEW_PASSWORD: &str = "quite another set of words";

impl Service {
    async fn check(&self, noted: &[NotedPlace]) -> Result<AuditReport, AuditError> {
        self.auth.audit().verify(AuditCheck { noted, ..AuditCheck::default() }).await
    }

    async fn trail(&self) -> Vec<(AuthEventKind, Option<Reason>)> {
        let records = self.auth.audit().records(AuditFilter::default(), 1_000).await.unwrap();
        records.iter().rev().map(|record| (record.event.kind, record.event.reason)).collect()
    }
}

async fn resumed(service: &Service, begun: &NewSession) -> NewSession {
    let token = begun.remember_token.as_ref().unwrap();
    match service.acting().resume(token).await.unwrap() {
        Resumed::Session(resumed) => *resumed,
        other => panic!("no session: {other:?}"),
    }
}

#[tokio::test]
async fn everything_that_happens_to_a_user_is_written_down() {
    use AuthEventKind as Kind;
    let service = Service::with_ada().await;
    let begun = service.log_in_with("ada@example.org", PASSWORD, true).await.unwrap();
    let (ada, caller) = (begun.user.id, browser().in_request("r-1"));
    let resumed = resumed(&service, &begun).await;
    service.log_in().await;
    let who = service.authenticate(&resumed.token).await.unwrap();
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
        (Kind::UserRemembered, None),
        (Kind::UserLoggedIn, None),
        (Kind::UserLoginConfirmed, None),
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
    assert_eq!(service.auth.audit().verify(AuditCheck::default()).await.unwrap().records, 15);
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
    // Whoever is remembered has proved nothing.
    let resumed = resumed(&service, &begun).await;
    let who = service.authenticate(&resumed.token).await.unwrap();
    let (ada, account) = (begun.user.id, service.acting().account(&who));
    let renewed = account.reauthenticate(Credential::Password(PASSWORD)).await.unwrap();
    let who = service.authenticate(&renewed.token).await.unwrap();
    let account = service.acting().account(&who);
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
        (Kind::UserRemembered, Actor::VISITOR),
        (Kind::UserLoginConfirmed, Actor::user(ada)),
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
    let end = service.check(&[]).await.unwrap().end;
    service.log_in().await;
    service.check(&[end]).await.unwrap();
    let other = NotedPlace { link: ChainLink { hash: [7; 32], ..end.link }, ..end };
    let broken = service.check(&[end, other]).await.unwrap_err();
    assert!(matches!(broken, AuditError::Broken(_)), "{broken}");
    let beyond = NotedPlace { link: ChainLink { number: 99, ..end.link }, ..end };
    let broken = service.check(&[beyond]).await.unwrap_err();
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
    let addresses = records.iter().filter_map(|record| record.event.client.address);
    let addresses: Vec<_> = addresses.map(|address| address.to_string()).collect();
    assert_eq!(addresses, ["203.0.113.7", "203.0.113.0"]);
    let young = service.check(&[]).await.unwrap().end;
    service.advance(Duration::days(31));
    service.auth.jobs().housekeeping().await.unwrap();
    use AuthEventKind as Kind;
    let kinds =
        [Kind::UserLoggedIn, Kind::AuditShortened, Kind::AuditShortened, Kind::AuditRemoved];
    let left: Vec<_> = service.trail().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(left, kinds);
    assert_eq!(service.check(&[young]).await.unwrap().records, 4);
}

/// The retention of these tests, in days.
fn keeping(days: i64, addresses: i64) -> AuthConfig {
    let mut config = cheap();
    config.audit.keep_for = Duration::days(days);
    config.audit.keep_addresses_for = Duration::days(addresses);
    config
}

#[tokio::test]
async fn what_is_removed_or_shortened_before_its_time_shows() {
    for (what, broken) in [
        (Ageing::Remove, "record 4 says that records were removed or shortened before their time"),
        (Ageing::Shorten, "the address of record 1 is shortened"),
    ] {
        let store = MemoryStore::default();
        let service = Service::over(store.clone(), keeping(40, 9));
        service.register("ada@example.org").await.unwrap();
        service.log_in().await;
        service.advance(Duration::days(2));
        service.log_in().await;
        let noted = service.check(&[]).await.unwrap().end;
        // By a rule of its own, as somebody with the database could.
        let rule = AgeingRule { what, kept: Duration::DAY, limit: 9 };
        let event = AuthEvent::new(what.kind(), Actor::SERVICE, service.auth.now());
        let record = Record::new(AuditEntry { event, salt: [0; 16] });
        assert_eq!(store.audit().age_audit(rule, &record).await.unwrap(), 2);
        let found = service.check(&[]).await.unwrap_err();
        let early = "record 4 says that records were removed or shortened before their time";
        assert!([broken, early].iter().any(|says| found.to_string().contains(says)), "{found}");
        service.check(&[noted]).await.unwrap_err();
    }
}

#[tokio::test]
async fn what_a_clock_removed_that_was_ahead_shows_once_it_is_right_again() {
    let service = Service::with(keeping(40, 9));
    service.register("ada@example.org").await.unwrap();
    let noted = service.check(&[]).await.unwrap().end;
    service.advance(Duration::days(401));
    service.auth.jobs().housekeeping().await.unwrap();
    service.advance(-Duration::days(401));
    let found = service.check(&[]).await.unwrap_err().to_string();
    assert!(found.contains("before their time"), "{found}");
    let found = service.check(&[noted]).await.unwrap_err().to_string();
    assert!(found.contains("record 1 is missing"), "{found}");
}

#[tokio::test]
async fn a_longer_retention_is_no_change_of_what_was_removed_before() {
    let store = MemoryStore::default();
    let service = Service::over(store.clone(), keeping(40, 9));
    service.register("ada@example.org").await.unwrap();
    service.advance(Duration::days(50));
    service.auth.jobs().housekeeping().await.unwrap();
    service.log_in().await;
    let noted = service.check(&[]).await.unwrap().end;
    let longer = Auth::with(store, service.clock.clone(), keeping(400, 90)).unwrap();
    let check = AuditCheck { noted: &[noted], ..AuditCheck::default() };
    longer.audit().verify(AuditCheck::default()).await.unwrap_err();
    longer.audit().verify(check).await.unwrap();
}

#[tokio::test]
async fn a_check_goes_on_where_it_was_interrupted() {
    let store = MemoryStore::default();
    let service = Service::over(store.clone(), cheap());
    service.register("ada@example.org").await.unwrap();
    let records: Vec<_> = (0..2_500).map(|_| any_record()).collect();
    store.audit().record(&records).await.unwrap();
    let places = Mutex::new(Vec::new());
    let tell = |progress: AuditProgress| places.lock().unwrap().push(progress);
    let check = AuditCheck { tell: Some(&tell), ..AuditCheck::default() };
    service.auth.audit().verify(check).await.unwrap();
    let told = std::mem::take(&mut *places.lock().unwrap());
    let numbers: Vec<_> = told.iter().map(|told| (told.records, told.of)).collect();
    assert_eq!(numbers, [(1_000, 2_501), (2_000, 2_501), (2_501, 2_501)]);
    let after = Some(told[1].place);
    let report = service.auth.audit().verify(AuditCheck { after, ..check }).await.unwrap();
    assert_eq!(report.records, 2_501);
    assert_eq!(places.lock().unwrap().len(), 1, "only the rest was read");
    let other = Some(ChainLink { hash: [7; 32], ..told[1].place });
    let broken = service.auth.audit().verify(AuditCheck { after: other, ..check }).await;
    assert_eq!(broken.unwrap_err().to_string(), "record 2000 is not what was written");
}
