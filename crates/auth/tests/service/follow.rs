//! Tests of how a process follows what another one does.

use std::time::{Duration as Patience, Instant};

use countersign_auth::domain::memory::MemoryStore;
use countersign_auth::domain::{Duration, SecretToken, Store};
use countersign_auth::{Auth, AuthConfig, Credential, NewSession};
use countersign_persistence::SqlStore;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::cache::lookups;
use crate::support::{PASSWORD, Service, cheap};

const ADA: &str = "ada@example.org";
const NEW_PASSWORD: &str = "quite another set of words";

/// The limit for what is promised within a second, with a margin for busy machines.
const SOON: Patience = Patience::from_secs(20);

fn config() -> AuthConfig {
    let mut config = cheap();
    // A service can notice a change sooner than this only by following.
    config.sessions.max_staleness = Duration::hours(1);
    config.throttle = None;
    config
}

/// Two services on one store and one clock, like two processes. The other follows.
struct Two {
    one: Service,
    other: Service,
    following: JoinHandle<()>,
}

impl Two {
    async fn on(store: impl Store + Clone + 'static) -> Self {
        let one = Service::over(store.clone(), config());
        one.register(ADA).await.unwrap();
        let auth = Auth::with(store, one.clock.clone(), config()).unwrap();
        let following = auth.clone();
        let following = tokio::spawn(async move { following.jobs().follow().await });
        let other = Service { auth, clock: one.clock.clone() };
        let two = Self { one, other, following };
        // When the other notices the logout, it has begun to follow.
        let begun = two.known().await;
        two.one.acting().log_out(&begun.session).await.unwrap();
        two.is_out(&begun.token, "it begins to follow").await;
        two
    }

    /// Starts a session at the one service that the other has in its cache.
    async fn known(&self) -> NewSession {
        // Sessions must not begin at the same moment, so that the order of their age is clear.
        self.one.advance(Duration::SECOND);
        let begun = self.one.log_in_with(ADA, PASSWORD, true).await.unwrap();
        self.keep(&begun.token).await;
        begun
    }

    /// Authenticates until the answer comes from the cache. A recent event may first cause reads.
    async fn keep(&self, token: &SecretToken) {
        let start = Instant::now();
        loop {
            let (before, _) = lookups(&self.other.auth);
            assert!(self.other.authenticate(token).await.is_some());
            if lookups(&self.other.auth).0 > before {
                return;
            }
            assert!(start.elapsed() < SOON, "it is never answered from the cache");
            sleep(Patience::from_millis(10)).await;
        }
    }

    async fn is_out(&self, token: &SecretToken, why: &str) {
        let start = Instant::now();
        while self.other.authenticate(token).await.is_some() {
            assert!(start.elapsed() < SOON, "still in: {why}");
            sleep(Patience::from_millis(10)).await;
        }
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        self.following.abort();
    }
}

#[tokio::test]
async fn whatever_ends_a_session_in_one_process_ends_it_soon_in_the_other() {
    let two = Two::on(MemoryStore::default()).await;
    let (acting, admin) = (two.one.acting(), two.one.admin());

    let begun = two.known().await;
    acting.log_out(&begun.session).await.unwrap();
    two.is_out(&begun.token, "logged out").await;

    let begun = two.known().await;
    acting.sessions(begun.user.id).revoke(begun.session.id).await.unwrap();
    two.is_out(&begun.token, "revoked").await;

    let begun = two.known().await;
    acting.sessions(begun.user.id).revoke_all().await.unwrap();
    two.is_out(&begun.token, "all revoked").await;

    let begun = two.known().await;
    let remembered = begun.session.remembered.unwrap();
    acting.sessions(begun.user.id).revoke_remembered(remembered).await.unwrap();
    two.is_out(&begun.token, "remembered no more").await;

    let begun = two.known().await;
    acting.forget(begun.remember_token.as_ref().unwrap()).await.unwrap();
    two.is_out(&begun.token, "forgotten").await;

    let begun = two.known().await;
    let who = two.one.authenticate(&begun.token).await.unwrap();
    acting.account(&who).reauthenticate(Credential::Password(PASSWORD)).await.unwrap();
    two.is_out(&begun.token, "its token was replaced").await;

    let oldest = two.known().await;
    two.one.advance(Duration::SECOND);
    for _ in 0..config().sessions.max_per_user {
        two.one.log_in().await;
    }
    two.is_out(&oldest.token, "there were too many").await;

    let begun = two.known().await;
    admin.set_active(begun.user.id, false).await.unwrap();
    two.is_out(&begun.token, "disabled").await;
    admin.set_active(begun.user.id, true).await.unwrap();

    let begun = two.known().await;
    admin.set_password(&begun.user, NEW_PASSWORD).await.unwrap();
    two.is_out(&begun.token, "the password was changed").await;
    admin.set_password(&begun.user, PASSWORD).await.unwrap();

    let begun = two.known().await;
    admin.delete(begun.user.id).await.unwrap();
    two.is_out(&begun.token, "deleted").await;
}

#[tokio::test]
async fn what_happens_to_one_user_leaves_the_others_in_memory() {
    let two = Two::on(MemoryStore::default()).await;
    two.one.register("bob@example.org").await.unwrap();
    let bob = two.one.try_log_in("bob@example.org", PASSWORD).await.unwrap();
    let (first, second) = (two.known().await, two.known().await);
    two.one.acting().log_out(&first.session).await.unwrap();
    // From here on, the trail contains nothing new about Bob.
    two.is_out(&first.token, "logged out").await;
    two.keep(&bob.token).await;
    two.one.acting().log_out(&second.session).await.unwrap();
    two.is_out(&second.token, "logged out").await;
    let (memory, store) = lookups(&two.other.auth);
    assert!(two.other.authenticate(&bob.token).await.is_some());
    assert_eq!(lookups(&two.other.auth), (memory + 1, store));
}

#[tokio::test]
async fn many_records_at_once_are_all_read() {
    let two = Two::on(MemoryStore::default()).await;
    let begun = two.known().await;
    two.one.acting().log_out(&begun.session).await.unwrap();
    for _ in 0..2_500 {
        let failed = two.one.try_log_in("nobody@example.org", "not their password").await;
        assert!(failed.is_err());
    }
    two.is_out(&begun.token, "logged out").await;
    let begun = two.known().await;
    two.one.acting().log_out(&begun.session).await.unwrap();
    two.is_out(&begun.token, "logged out, after many others").await;
}

#[tokio::test]
async fn who_cannot_follow_asks_the_store_for_each_request() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("site.db").display());
    let database = SqlStore::connect(&url).await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    let two = Two::on(database.clone()).await;
    let begun = two.known().await;
    database.close().await;
    let start = Instant::now();
    // The cache would answer for an hour.
    while two.other.acting().authenticate(&begun.token).await.is_ok() {
        assert!(start.elapsed() < SOON, "it still trusts its cache");
        sleep(Patience::from_millis(10)).await;
    }
    let (memory, _) = lookups(&two.other.auth);
    assert!(two.other.acting().authenticate(&begun.token).await.is_err());
    assert_eq!(lookups(&two.other.auth).0, memory);
}

#[tokio::test]
async fn who_has_followed_and_does_so_no_longer_asks_for_each_request() {
    let two = Two::on(MemoryStore::default()).await;
    let begun = two.known().await;
    two.following.abort();
    two.one.acting().log_out(&begun.session).await.unwrap();
    two.is_out(&begun.token, "logged out while nobody follows").await;
    let (memory, _) = lookups(&two.other.auth);
    let begun = two.one.log_in().await;
    for _ in 0..3 {
        assert!(two.other.authenticate(&begun.token).await.is_some());
    }
    assert_eq!(lookups(&two.other.auth).0, memory);
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_no_session_alive_for_longer() {
    let store = MemoryStore::default();
    let mut short = config();
    short.sessions.max_staleness = Duration::seconds(1);
    let one = Service::over(store.clone(), short.clone());
    one.register(ADA).await.unwrap();
    let auth = Auth::with(store, one.clock.clone(), short).unwrap();
    let other = Service { auth, clock: one.clock.clone() };
    let begun = one.log_in().await;
    other.authenticate(&begun.token).await.unwrap();
    one.acting().log_out(&begun.session).await.unwrap();
    sleep(Patience::from_millis(1_100)).await;
    // This clock stands still, like one that is set back again and again.
    assert!(other.authenticate(&begun.token).await.is_none());
}

// Whoever shares a share of the cache with a name could tell by their own next page that it exists.
#[tokio::test]
async fn what_somebody_only_tries_makes_another_process_forget_nothing() {
    let two = Two::on(MemoryStore::default()).await;
    let eve = "eve@example.org";
    two.one.register(eve).await.unwrap();
    let log_in = async || two.one.log_in_with(eve, PASSWORD, false).await.unwrap();
    let (ada, [first, second]) = (two.known().await, [log_in().await, log_in().await]);
    let is_read_up_to_the_end = async |eve: NewSession| {
        two.keep(&eve.token).await;
        two.one.acting().log_out(&eve.session).await.unwrap();
        two.is_out(&eve.token, "the trail is read up to the end").await;
    };
    is_read_up_to_the_end(first).await;
    two.keep(&ada.token).await;
    two.one.try_log_in(ADA, "wrong").await.unwrap_err();
    is_read_up_to_the_end(second).await;
    let (before, _) = lookups(&two.other.auth);
    assert!(two.other.authenticate(&ada.token).await.is_some());
    assert_eq!(lookups(&two.other.auth).0, before + 1, "ada is remembered");
}
