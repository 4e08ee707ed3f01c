//! Tests of the cache of sessions, and of how soon it forgets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use countersign_auth::domain::memory::MemoryStore;
use countersign_auth::domain::{Duration, SecretToken, Store};
use countersign_auth::{Acting, Auth, AuthConfig, ConfirmError, Credential, NewSession, Resumed};
use countersign_persistence::SqlStore;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tempfile::TempDir;

use crate::support::{PASSWORD, Service, admin, browser, cheap};

const ADA: &str = "ada@example.org";

fn with_staleness(max_staleness: Duration) -> AuthConfig {
    let mut config = cheap();
    config.sessions.max_staleness = max_staleness;
    config
}

/// Returns how many tokens were looked up in the cache, and how many in the store.
pub(crate) fn lookups(auth: &Auth) -> (u64, u64) {
    let mut registry = Registry::default();
    auth.register_metrics(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let count = |source| {
        let name = format!("countersign_session_lookups_total{{source=\"{source}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap().parse().unwrap()
    };
    (count("memory"), count("store"))
}

fn made_up() -> SecretToken {
    SecretToken::generate(&mut UnwrapErr(SysRng))
}

/// Starts two services on one store and one clock, like two processes.
async fn two(max_staleness: Duration) -> (Service, Service) {
    let store = MemoryStore::default();
    let one = Service::over(store.clone(), with_staleness(max_staleness));
    one.register(ADA).await.unwrap();
    let auth = Auth::with(store, one.clock.clone(), with_staleness(max_staleness)).unwrap();
    let other = Service { auth, clock: one.clock.clone() };
    (one, other)
}

#[tokio::test]
async fn the_store_is_asked_once_a_second_for_a_session_that_is_used_all_the_time() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    for _ in 0..10 {
        service.authenticate(&begun.token).await.unwrap();
    }
    assert_eq!(lookups(&service.auth), (9, 1));
    service.advance(Duration::seconds(1));
    service.authenticate(&begun.token).await.unwrap();
    assert_eq!(lookups(&service.auth), (9, 2));
}

#[tokio::test]
async fn the_store_is_asked_every_time_where_nothing_may_be_stale() {
    let service = Service::with(with_staleness(Duration::ZERO));
    service.register(ADA).await.unwrap();
    let begun = service.log_in().await;
    for _ in 0..3 {
        service.authenticate(&begun.token).await.unwrap();
        assert!(service.authenticate(&made_up()).await.is_none());
    }
    assert_eq!(lookups(&service.auth), (0, 6));
}

#[tokio::test]
async fn a_made_up_token_is_asked_for_once() {
    let service = Service::with_ada().await;
    let token = made_up();
    for _ in 0..5 {
        assert!(service.authenticate(&token).await.is_none());
    }
    assert_eq!(lookups(&service.auth), (4, 1));
    service.advance(Duration::seconds(1));
    assert!(service.authenticate(&token).await.is_none());
    assert_eq!(lookups(&service.auth), (4, 2));
}

#[tokio::test]
async fn a_flood_of_made_up_tokens_drives_out_nobodys_session() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    service.authenticate(&begun.token).await.unwrap();
    for _ in 0..30_000 {
        assert!(service.authenticate(&made_up()).await.is_none());
    }
    let (before, _) = lookups(&service.auth);
    service.authenticate(&begun.token).await.unwrap();
    assert_eq!(lookups(&service.auth).0, before + 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nothing_good_for_longer() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    service.authenticate(&begun.token).await.unwrap();
    service.advance(-Duration::seconds(20));
    service.authenticate(&begun.token).await.unwrap();
    assert_eq!(lookups(&service.auth), (0, 2));
}

/// A user with two sessions, the second of which is remembered.
struct Ada {
    service: Service,
    here: NewSession,
    there: NewSession,
}

impl Ada {
    /// Starts both sessions. They stay in the cache until something happens to them.
    async fn new() -> Self {
        let service = Service::with(with_staleness(Duration::hours(1)));
        service.register(ADA).await.unwrap();
        let here = service.log_in().await;
        let there = service.log_in_with(ADA, PASSWORD, true).await.unwrap();
        let ada = Self { service, here, there };
        assert!(ada.is_in(&ada.here.token).await && ada.is_in(&ada.there.token).await);
        ada
    }

    fn acting(&self) -> Acting<'_> {
        self.service.acting()
    }

    async fn is_in(&self, token: &SecretToken) -> bool {
        self.service.authenticate(token).await.is_some()
    }

    async fn is_out_there(&self) -> bool {
        !self.is_in(&self.there.token).await
    }
}

#[tokio::test]
async fn who_logs_out_is_out_with_the_next_request() {
    let ada = Ada::new().await;
    ada.acting().log_out(&ada.there.session).await.unwrap();
    assert!(ada.is_out_there().await && ada.is_in(&ada.here.token).await);
}

#[tokio::test]
async fn a_session_that_is_revoked_is_out_with_the_next_request() {
    let ada = Ada::new().await;
    let (user, session) = (ada.here.user.id, ada.there.session.id);
    assert!(ada.acting().sessions(user).revoke(session).await.unwrap());
    assert!(ada.is_out_there().await);

    let ada = Ada::new().await;
    let (user, here) = (ada.here.user.id, ada.here.session.id);
    ada.acting().sessions(user).asked_in(here).revoke_all().await.unwrap();
    assert!(ada.is_out_there().await && ada.is_in(&ada.here.token).await);

    let ada = Ada::new().await;
    let remembered = ada.there.session.remembered.unwrap();
    ada.acting().sessions(ada.here.user.id).revoke_remembered(remembered).await.unwrap();
    assert!(ada.is_out_there().await);

    let ada = Ada::new().await;
    ada.acting().forget(ada.there.remember_token.as_ref().unwrap()).await.unwrap();
    assert!(ada.is_out_there().await);
}

#[tokio::test]
async fn who_logs_out_is_out_also_where_another_process_has_ended_the_session_before() {
    let (one, other) = two(Duration::hours(1)).await;
    let begun = one.log_in().await;
    other.authenticate(&begun.token).await.unwrap();
    one.acting().log_out(&begun.session).await.unwrap();
    assert!(other.authenticate(&begun.token).await.is_some(), "it does not know yet");
    other.acting().log_out(&begun.session).await.unwrap();
    assert!(other.authenticate(&begun.token).await.is_none());
}

#[tokio::test]
async fn a_changed_password_ends_other_sessions_with_the_next_request() {
    let ada = Ada::new().await;
    let who = ada.service.authenticate(&ada.here.token).await.unwrap();
    let new = "quite another set of words";
    let changed = ada.acting().account(&who).change_password(Some(PASSWORD), new).await.unwrap();
    assert!(ada.is_out_there().await && !ada.is_in(&ada.here.token).await);
    assert!(ada.is_in(&changed.renewed.token).await);

    let ada = Ada::new().await;
    ada.service.admin().set_password(&ada.here.user, new).await.unwrap();
    assert!(ada.is_out_there().await && !ada.is_in(&ada.here.token).await);
}

#[tokio::test]
async fn a_token_that_is_replaced_opens_nothing_with_the_next_request() {
    let ada = Ada::new().await;
    let who = ada.service.authenticate(&ada.here.token).await.unwrap();
    let renewed =
        ada.acting().account(&who).reauthenticate(Credential::Password(PASSWORD)).await.unwrap();
    assert!(!ada.is_in(&ada.here.token).await && ada.is_in(&renewed.token).await);
}

#[tokio::test]
async fn who_is_disabled_or_deleted_is_out_with_the_next_request() {
    let ada = Ada::new().await;
    ada.service.admin().set_active(ada.here.user.id, false).await.unwrap();
    assert!(ada.is_out_there().await);

    let ada = Ada::new().await;
    ada.service.admin().delete(ada.here.user.id).await.unwrap();
    assert!(ada.is_out_there().await);
}

#[tokio::test]
async fn a_theft_ends_sessions_with_the_next_request() {
    let ada = Ada::new().await;
    let token = ada.there.remember_token.as_ref().unwrap();
    let resume = async |token| match ada.acting().resume(token).await.unwrap() {
        Resumed::Session(begun) => *begun,
        other => panic!("no session: {other:?}"),
    };
    let thiefs = resume(token).await;
    assert!(ada.is_out_there().await, "the session has taken the place of the earlier one");
    ada.service.advance(Duration::seconds(11));
    assert!(ada.is_in(&thiefs.token).await);
    let owners = resume(token).await;
    assert!(!ada.is_in(&thiefs.token).await && ada.is_in(&owners.token).await);
    let stolen = thiefs.remember_token.unwrap();
    assert!(matches!(ada.acting().resume(&stolen).await.unwrap(), Resumed::Stolen));
    assert!(!ada.is_in(&owners.token).await);
}

#[tokio::test]
async fn the_oldest_session_beyond_the_cap_is_out_with_the_next_request() {
    let mut config = with_staleness(Duration::hours(1));
    config.sessions.max_per_user = 1;
    let service = Service::with(config);
    service.register(ADA).await.unwrap();
    let first = service.log_in().await;
    assert!(service.authenticate(&first.token).await.is_some());
    service.advance(Duration::seconds(1));
    service.log_in().await;
    assert!(service.authenticate(&first.token).await.is_none());
}

#[tokio::test]
async fn what_another_process_does_is_seen_within_max_staleness_and_no_earlier_request_asks() {
    let (one, other) = two(Duration::seconds(10)).await;
    let begun = one.log_in().await;
    other.authenticate(&begun.token).await.unwrap();
    one.acting().log_out(&begun.session).await.unwrap();
    assert!(one.authenticate(&begun.token).await.is_none());
    other.advance(Duration::seconds(10) - Duration::nanoseconds(1));
    assert!(other.authenticate(&begun.token).await.is_some());
    assert_eq!(lookups(&other.auth), (1, 1));
    other.advance(Duration::nanoseconds(1));
    assert!(other.authenticate(&begun.token).await.is_none());
}

#[tokio::test]
async fn what_another_process_does_is_seen_at_once_where_nothing_may_be_stale() {
    let (one, other) = two(Duration::ZERO).await;
    let begun = one.log_in().await;
    other.authenticate(&begun.token).await.unwrap();
    one.admin().set_active(begun.user.id, false).await.unwrap();
    assert!(other.authenticate(&begun.token).await.is_none());
}

#[tokio::test]
async fn nothing_is_confirmed_in_a_session_that_another_process_has_ended() {
    let (one, other) = two(Duration::hours(1)).await;
    let begun = one.log_in().await;
    let who = other.authenticate(&begun.token).await.unwrap();
    one.auth.by(&admin()).sessions(begun.user.id).revoke_all().await.unwrap();
    let who = other.authenticate(&begun.token).await.unwrap_or(who);
    let confirmed =
        other.acting().account(&who).reauthenticate(Credential::Password(PASSWORD)).await;
    assert!(matches!(confirmed, Err(ConfirmError::Ended)), "{confirmed:?}");
    let deleted = other.acting().account(&who).delete(Some(Credential::Password(PASSWORD))).await;
    assert!(matches!(deleted, Err(ConfirmError::Ended)), "{deleted:?}");
    assert!(one.try_log_in(ADA, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn nothing_is_confirmed_with_a_password_that_another_process_has_changed() {
    let (one, other) = two(Duration::hours(1)).await;
    let begun = one.log_in().await;
    let there = other.authenticate(&begun.token).await.unwrap();
    let here = one.authenticate(&begun.token).await.unwrap();
    let new = "quite another set of words";
    one.acting().account(&here).change_password(Some(PASSWORD), new).await.unwrap();
    let confirmed =
        other.acting().account(&there).reauthenticate(Credential::Password(PASSWORD)).await;
    assert!(matches!(confirmed, Err(ConfirmError::WrongPassword)), "{confirmed:?}");
}

#[tokio::test]
async fn what_a_program_does_to_its_own_table_is_seen_at_once_when_it_says_so() {
    let store = MemoryStore::default();
    let service = Service::over(store.clone(), with_staleness(Duration::hours(1)));
    service.register(ADA).await.unwrap();
    let begun = service.log_in().await;
    service.authenticate(&begun.token).await.unwrap();
    let other = Auth::with(store, service.clock.clone(), with_staleness(Duration::ZERO)).unwrap();
    other.by(&admin()).admin().set_active(begun.user.id, false).await.unwrap();
    assert!(service.authenticate(&begun.token).await.is_some());
    service.auth.user_changed(begun.user.id);
    assert!(service.authenticate(&begun.token).await.is_none());
}

#[tokio::test]
async fn a_session_in_memory_idles_out_to_the_moment_however_often_it_is_written_down() {
    let (one, other) = two(Duration::hours(1)).await;
    let begun = one.log_in().await;
    let almost = Duration::minutes(30) - Duration::microseconds(1);
    for _ in 0..3 {
        one.advance(almost);
        assert!(one.authenticate(&begun.token).await.is_some());
        one.auth.jobs().housekeeping().await.unwrap();
    }
    assert!(other.authenticate(&begun.token).await.is_some(), "its use was saved");
    one.advance(Duration::minutes(30));
    assert!(one.authenticate(&begun.token).await.is_none());
    assert!(other.authenticate(&begun.token).await.is_none());
}

/// Ends sessions while readers use them all the time. Returns how often a session was accepted, and how often
/// it was accepted after the service had reported its end.
async fn count_stale_accepts(store: impl Store + 'static) -> (u64, u64) {
    const SESSIONS: usize = 60;
    let mut config = with_staleness(Duration::hours(1));
    config.throttle = None;
    let service = Service::over(store, config);
    service.register(ADA).await.unwrap();
    let (accepts, stale) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for round in 0..SESSIONS {
        let begun = service.log_in().await;
        let (token, is_over) = (Arc::new(begun.token.clone()), Arc::new(AtomicBool::new(false)));
        let mut readers = Vec::new();
        for _ in 0..4 {
            let (auth, token) = (service.auth.clone(), Arc::clone(&token));
            let (is_over, accepts, stale) =
                (Arc::clone(&is_over), Arc::clone(&accepts), Arc::clone(&stale));
            readers.push(tokio::spawn(async move {
                loop {
                    let was_over = is_over.load(Ordering::SeqCst);
                    let accepted =
                        auth.by(&browser()).authenticate(&token).await.unwrap().is_some();
                    if accepted {
                        accepts.fetch_add(1, Ordering::Relaxed);
                        stale.fetch_add(u64::from(was_over), Ordering::Relaxed);
                    }
                    if was_over {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                // Asks again, since the readers may have put the session into the cache meanwhile.
                let late = auth.by(&browser()).authenticate(&token).await.unwrap().is_some();
                stale.fetch_add(u64::from(late), Ordering::Relaxed);
            }));
        }
        while accepts.load(Ordering::Relaxed) < 10 * (round as u64 + 1) {
            tokio::task::yield_now().await;
        }
        let user = begun.user.id;
        match round % 4 {
            0 => service.acting().log_out(&begun.session).await.unwrap(),
            1 => drop(service.acting().sessions(user).revoke(begun.session.id).await.unwrap()),
            2 => drop(service.acting().sessions(user).revoke_all().await.unwrap()),
            _ => {
                service.admin().set_active(user, false).await.unwrap();
                service.admin().set_active(user, true).await.unwrap();
            }
        }
        is_over.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
    }
    (accepts.load(Ordering::Relaxed), stale.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_among_many_accepts_a_session_that_has_ended() {
    let (accepts, stale) = count_stale_accepts(MemoryStore::default()).await;
    assert!(accepts >= 600, "{accepts}");
    assert_eq!(stale, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_among_many_accepts_a_session_that_has_ended_in_a_database() {
    let dir = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", dir.path().join("site.db").display());
    let database = SqlStore::connect(&url).await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    let (accepts, stale) = count_stale_accepts(database).await;
    assert!(accepts >= 600, "{accepts}");
    assert_eq!(stale, 0);
}
