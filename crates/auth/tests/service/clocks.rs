//! Tests that no clock that is wrong erases anything, or keeps anything alive.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use countersign_auth::domain::memory::MemoryStore;
use countersign_auth::domain::{
    AuditStore, BrowserStore, Client, Duration, PendingStore, RememberStore, SecretToken,
    SessionStore, SiteStore, Store, StoreError, ThrottleStore, UserStore,
};
use countersign_auth::{AuthEventKind, Caller, FactorError, LogIn, LogInError, Resumed};
use countersign_persistence::SqlStore;

use crate::support::{PASSWORD, Service, admin, browser, cheap, complete, waiting};

const ADA: &str = "ada@example.org";
const YEAR: Duration = Duration::days(401);

/// A store on a server, whose clock is ahead by as much as a test says.
#[derive(Clone, Default)]
struct Server {
    memory: MemoryStore,
    ahead: Arc<Mutex<Duration>>,
}

#[async_trait]
impl Store for Server {
    fn users(&self) -> &dyn UserStore {
        self.memory.users()
    }

    fn sessions(&self) -> &dyn SessionStore {
        self.memory.sessions()
    }

    fn remembered(&self) -> &dyn RememberStore {
        self.memory.remembered()
    }

    fn throttle(&self) -> &dyn ThrottleStore {
        self.memory.throttle()
    }

    fn audit(&self) -> &dyn AuditStore {
        self.memory.audit()
    }

    fn browsers(&self) -> Option<&dyn BrowserStore> {
        self.memory.browsers()
    }

    fn pending(&self) -> Option<&dyn PendingStore> {
        self.memory.pending()
    }

    fn site(&self) -> Option<&dyn SiteStore> {
        self.memory.site()
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn read_clock(&self) -> Result<Option<Duration>, StoreError> {
        Ok(Some(*self.ahead.lock().unwrap()))
    }
}

/// Starts another program on a store.
type Again = Arc<dyn Fn(&Service) -> Service>;

/// What there is to be removed: sessions, remembered logins, counters that are full, and records.
async fn what_is_there(service: &Service) -> (usize, usize, bool, usize) {
    let ada = service.auth.users().list(None, 1).await.unwrap().first().unwrap().id;
    let acting = service.acting();
    let sessions = acting.sessions(ada).list().await.unwrap().len();
    let remembered = acting.sessions(ada).remembered().await.unwrap().len();
    let eve = Caller::visitor(Client::new(Some([198, 51, 100, 66].into()), Some("Eve/1.0")));
    let tried = service.auth.by(&eve).log_in(LogIn::new(ADA, "wrong")).await;
    let is_shut_out = matches!(tried, Err(LogInError::Throttled(_)));
    (sessions, remembered, is_shut_out, records(service).await)
}

/// Counts the records that are not about the trail itself.
async fn records(service: &Service) -> usize {
    let records = service.auth.audit().records(Default::default(), 1_000).await.unwrap();
    let is_of_trail =
        |kind| matches!(kind, AuthEventKind::AuditShortened | AuthEventKind::AuditRemoved);
    records.iter().filter(|record| !is_of_trail(record.event.kind)).count()
}

/// Registers `ada`, has her remembered, and has a guesser shut out.
async fn fill(service: &Service) {
    service.register(ADA).await.unwrap();
    service.log_in_with(ADA, PASSWORD, true).await.unwrap();
    let eve = Caller::visitor(Client::new(Some([198, 51, 100, 66].into()), Some("Eve/1.0")));
    for _ in 0..5 {
        service.auth.by(&eve).log_in(LogIn::new(ADA, "wrong")).await.unwrap_err();
    }
    service.keep_house().await;
}

#[tokio::test]
async fn a_clock_that_leaps_and_returns_erases_nothing() {
    for leap in [YEAR, Duration::days(30), -YEAR] {
        let service = Service::new();
        fill(&service).await;
        let before = what_is_there(&service).await;
        assert_eq!((before.0, before.1, before.2), (1, 1, true));
        service.set_wrong(leap);
        service.keep_house().await;
        service.keep_house().await;
        service.set_wrong(Duration::ZERO);
        assert_eq!(what_is_there(&service).await, before, "{leap}");
        // At once the clock is believed again.
        service.advance(Duration::days(15));
        service.keep_house().await;
        let after = what_is_there(&service).await;
        assert_eq!((after.0, after.1, after.2), (0, 0, false), "{leap}");
        service.auth.audit().verify(countersign_auth::AuditCheck::default()).await.unwrap();
    }
}

#[tokio::test]
async fn while_the_clocks_of_machine_and_server_differ_nothing_is_removed() {
    let store = Server::default();
    let service = Service::over(store.clone(), cheap());
    fill(&service).await;
    let before = what_is_there(&service).await;
    for wrong in [YEAR, Duration::seconds(31), -YEAR] {
        *store.ahead.lock().unwrap() = wrong;
        // The service goes by the clock of the server.
        service.set_wrong(wrong);
        for _ in 0..100 {
            service.auth.jobs().housekeeping().await.unwrap();
        }
        service.set_wrong(Duration::ZERO);
        assert_eq!(what_is_there(&service).await, before, "{wrong}");
    }
    *store.ahead.lock().unwrap() = Duration::seconds(30);
    service.advance(YEAR);
    service.keep_house().await;
    // What remains is the guess that was made to look.
    assert_eq!(what_is_there(&service).await, (0, 0, false, 1));
}

#[tokio::test]
async fn what_is_removed_ended_by_the_earlier_of_both_clocks() {
    for ahead in [Duration::seconds(20), Duration::seconds(-20)] {
        let store = Server::default();
        *store.ahead.lock().unwrap() = ahead;
        let service = Service::over(store.clone(), cheap());
        service.register(ADA).await.unwrap();
        let start = service.auth.now();
        // Records are removed a day late, all of a day together.
        service.advance(Duration::days(401) + Duration::seconds(10));
        service.auth.jobs().housekeeping().await.unwrap();
        assert_eq!(records(&service).await, 1, "{ahead}: {start}");
        service.advance(Duration::seconds(11));
        service.auth.jobs().housekeeping().await.unwrap();
        assert_eq!(records(&service).await, 0, "{ahead}: {start}");
    }
}

#[tokio::test]
async fn a_program_that_starts_with_a_wrong_clock_erases_nothing_and_one_after_a_long_sleep_cleans_up()
 {
    let memory = MemoryStore::default();
    let database = SqlStore::connect("sqlite::memory:").await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    // A database removes records by its own clock alone, which no test sets.
    let stores: [(Again, bool); 2] = [
        (Arc::new(move |service| service.again(memory.clone(), cheap())), true),
        (Arc::new(move |service| service.again(database.clone(), cheap())), false),
    ];
    for (again, removes_records) in stores {
        let service = again(&Service::new());
        fill(&service).await;
        let before = what_is_there(&service).await;
        service.set_wrong(YEAR);
        let restarted = again(&service);
        restarted.keep_house().await;
        // A record of the wrong clock convinces nobody who starts after it.
        restarted.try_log_in(ADA, PASSWORD).await.unwrap();
        let restarted = again(&service);
        restarted.keep_house().await;
        service.set_wrong(Duration::ZERO);
        let after = what_is_there(&again(&service)).await;
        // The login with the wrong clock is in the trail, and its session opens nothing.
        assert_eq!(after, (before.0, before.1, before.2, before.3 + 1));
        // A site that slept for a year cleans up after an hour.
        service.advance(YEAR + Duration::DAY);
        let woken = again(&service);
        let house = async || woken.auth.jobs().housekeeping().await.is_ok();
        for _ in 0..59 {
            woken.advance(Duration::MINUTE);
            assert!(house().await);
        }
        assert_eq!(records(&woken).await, after.3);
        woken.advance(Duration::MINUTE);
        assert_eq!(house().await, removes_records);
        assert_eq!(records(&woken).await < after.3, removes_records);
    }
}

#[tokio::test]
async fn a_session_that_began_tomorrow_is_neither_live_nor_fresh_today_and_never_again() {
    let service = Service::with_ada().await;
    service.keep_house().await;
    let right = service.log_in().await;
    service.set_wrong(Duration::DAY);
    let tomorrow = service.log_in_with(ADA, PASSWORD, true).await.unwrap();
    assert!(service.authenticate(&tomorrow.token).await.is_some());
    service.set_wrong(Duration::ZERO);
    assert!(service.authenticate(&tomorrow.token).await.is_none());
    assert!(service.authenticate(&right.token).await.is_some());
    let resumed = service.acting().resume(&tomorrow.remember_token.unwrap()).await.unwrap();
    assert!(matches!(resumed, Resumed::Unknown));
    let sessions = service.acting().sessions(right.user.id);
    assert_eq!(sessions.list().await.unwrap().len(), 1);
    assert!(sessions.remembered().await.unwrap().is_empty());
    // It does not come back on that day.
    service.keep_house().await;
    service.advance(Duration::DAY);
    assert!(service.authenticate(&tomorrow.token).await.is_none());
}

#[tokio::test]
async fn a_use_that_a_wrong_clock_noted_ends_no_session_and_keeps_none_alive() {
    let service = Service::with_ada().await;
    let begun = service.log_in().await;
    service.set_wrong(Duration::minutes(20));
    assert!(service.authenticate(&begun.token).await.is_some());
    service.keep_house().await;
    service.set_wrong(Duration::ZERO);
    service.advance(Duration::minutes(10));
    assert!(service.authenticate(&begun.token).await.is_some(), "it is in use");
    service.advance(Duration::minutes(40));
    assert!(service.authenticate(&begun.token).await.is_none());
}

#[tokio::test]
async fn guesses_of_tomorrow_shut_nobody_out() {
    let service = Service::with_ada().await;
    service.set_wrong(Duration::DAY);
    for _ in 0..5 {
        service.try_log_in(ADA, "wrong").await.unwrap_err();
    }
    let error = service.try_log_in(ADA, PASSWORD).await.unwrap_err();
    assert!(matches!(error, LogInError::Throttled(_)), "{error}");
    service.set_wrong(Duration::ZERO);
    service.log_in().await;
}

#[tokio::test]
async fn nobody_with_a_second_factor_is_kept_out_by_a_change_of_tomorrow() {
    let service = Service::with_ada().await;
    let ada = service.log_in().await.user;
    service.auth.testing().require_factor(ada.id, "123456");
    service.set_wrong(Duration::DAY);
    let begun = service.acting().log_in(LogIn::new(ADA, PASSWORD)).await.unwrap();
    let tomorrow: SecretToken = waiting(begun).token;
    service.auth.by(&admin()).admin().set_active(ada.id, true).await.unwrap();
    service.set_wrong(Duration::ZERO);
    let caller = browser();
    let acting = service.auth.by(&caller);
    let error = acting.verify_factor(&tomorrow, "123456").await.unwrap_err();
    assert!(matches!(error, FactorError::Ended), "{error}");
    let begun = waiting(acting.log_in(LogIn::new(ADA, PASSWORD)).await.unwrap());
    complete(acting.verify_factor(&begun.token, "123456").await.unwrap());
}
