//! Tests of password hashing under load: who gets into the queue, who leaves it, and what keeps working
//! meanwhile.

use std::net::IpAddr;
use std::time::Duration as Wait;

use countersign_auth::domain::throttle::Rate;
use countersign_auth::domain::{Client, Duration, ThrottlePolicy};
use countersign_auth::{
    Auth, AuthConfig, Caller, ConfirmError, Credential, LogIn, LogInError, LoginState, NewUser,
    Overloaded, RegisterError,
};
use countersign_persistence::SqlStore;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{PASSWORD, Service, admin, browser, cheap};

const ADA: &str = "ada@example.org";
const LONG: Wait = Wait::from_secs(60);

/// Returns a configuration with one worker and `queue` places in its queue.
fn narrow(queue: usize) -> AuthConfig {
    let mut config = cheap();
    config.hashing.workers = 1;
    config.hashing.queue = queue;
    config.hashing.max_wait = LONG;
    config
}

async fn service(config: AuthConfig) -> Service {
    let service = Service::with(config);
    service.register(ADA).await.unwrap();
    service
}

fn from(address: impl Into<IpAddr>) -> Caller {
    Caller::visitor(Client::new(Some(address.into()), Some("Test/1.0")))
}

fn here() -> Caller {
    from([203, 0, 113, 7])
}

fn there() -> Caller {
    from([198, 51, 100, 9])
}

async fn try_as(auth: &Auth, caller: &Caller, password: &str) -> Result<LoginState, LogInError> {
    auth.by(caller).log_in(LogIn::new(ADA, password)).await
}

/// Returns how many requests wait for a worker.
fn depth(auth: &Auth) -> usize {
    let (mut registry, mut text) = (Registry::default(), String::new());
    auth.register_metrics(&mut registry);
    encode(&mut text, &registry).unwrap();
    let depth = text.lines().find_map(|line| line.strip_prefix("countersign_hash_queue_depth "));
    depth.unwrap().parse().unwrap()
}

async fn until_depth_is(auth: &Auth, expected: usize) {
    let reached = async {
        while depth(auth) != expected {
            tokio::time::sleep(Wait::from_millis(1)).await;
        }
    };
    timeout(LONG, reached).await.unwrap();
}

/// Starts a login, and waits until it is in the queue.
async fn waiting(auth: &Auth, caller: Caller) -> JoinHandle<Result<LoginState, LogInError>> {
    let (before, own) = (depth(auth), auth.clone());
    let waits = tokio::spawn(async move { try_as(&own, &caller, PASSWORD).await });
    until_depth_is(auth, before + 1).await;
    waits
}

fn assert_overloaded(done: &Result<LoginState, LogInError>) {
    let expected = Overloaded { retry_after: LONG };
    assert!(matches!(done, Err(LogInError::Overloaded(said)) if *said == expected), "{done:?}");
}

#[tokio::test]
async fn a_full_queue_is_answered_with_when_to_come_back() {
    let Service { auth, .. } = service(narrow(1)).await;
    let busy = auth.testing().busy_workers().await;
    let first = waiting(&auth, here()).await;
    assert_overloaded(&try_as(&auth, &here(), PASSWORD).await);
    assert_overloaded(&try_as(&auth, &there(), PASSWORD).await);
    let new = NewUser::new("bob@example.org", "Bob", PASSWORD);
    let registered = auth.by(&there()).register(new).await;
    assert!(matches!(registered, Err(RegisterError::Overloaded(_))), "{registered:?}");
    assert_eq!(depth(&auth), 1);
    drop(busy);
    assert!(first.await.unwrap().is_ok());
    assert_eq!(auth.users().list(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_flood_from_one_address_keeps_nobody_else_out() {
    let Service { auth, .. } = service(narrow(4)).await;
    let busy = auth.testing().busy_workers().await;
    let mut flood = Vec::new();
    for _ in 0..4 {
        flood.push(waiting(&auth, here()).await);
    }
    assert_overloaded(&try_as(&auth, &here(), PASSWORD).await);
    let (own, caller) = (auth.clone(), there());
    let other = tokio::spawn(async move { try_as(&own, &caller, PASSWORD).await });
    // The newest of the flood had to make room.
    assert_overloaded(&flood.pop().unwrap().await.unwrap());
    assert_eq!(depth(&auth), 4);
    drop(busy);
    assert!(other.await.unwrap().is_ok());
    for one in flood {
        assert!(one.await.unwrap().is_ok());
    }
    assert_eq!(depth(&auth), 0);
}

#[tokio::test]
async fn whoever_goes_away_leaves_their_place_at_once_and_costs_no_hash() {
    let Service { auth, .. } = service(narrow(1)).await;
    let busy = auth.testing().busy_workers().await;
    let before = auth.testing().hashes_computed();
    let gone = waiting(&auth, here()).await;
    assert_overloaded(&try_as(&auth, &there(), PASSWORD).await);
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    assert_eq!(depth(&auth), 0);
    let next = waiting(&auth, there()).await;
    drop(busy);
    assert!(next.await.unwrap().is_ok());
    assert_eq!(auth.testing().hashes_computed() - before, 1);
}

#[tokio::test]
async fn the_throttle_is_asked_before_the_queue() {
    let mut policy = ThrottlePolicy::default();
    policy.account_from_address = Rate { tries: 1, period: Duration::minutes(5) };
    let mut config = narrow(1);
    config.throttle = Some(policy);
    let Service { auth, .. } = service(config).await;
    let wrong = try_as(&auth, &here(), "wrong").await;
    assert!(matches!(wrong, Err(LogInError::WrongCredentials)), "{wrong:?}");
    let before = auth.testing().hashes_computed();
    let busy = auth.testing().busy_workers().await;
    // With room in the queue, a throttled login takes no place: it is answered while the worker is busy.
    let refused = try_as(&auth, &here(), PASSWORD).await;
    assert!(matches!(refused, Err(LogInError::Throttled(_))), "{refused:?}");
    assert_eq!(depth(&auth), 0);
    // Without room in the queue, it is still answered as throttled, not as overloaded.
    let first = waiting(&auth, there()).await;
    let refused = try_as(&auth, &here(), PASSWORD).await;
    assert!(matches!(refused, Err(LogInError::Throttled(_))), "{refused:?}");
    assert_overloaded(&try_as(&auth, &from([192, 0, 2, 1]), PASSWORD).await);
    drop(busy);
    assert!(first.await.unwrap().is_ok());
    assert_eq!(auth.testing().hashes_computed() - before, 1);
}

#[tokio::test]
async fn a_password_that_is_too_long_never_reaches_the_queue() {
    let service = service(narrow(1)).await;
    let begun = service.log_in().await;
    let who = service.authenticate(&begun.token).await.unwrap();
    let Service { auth, .. } = service;
    let before = auth.testing().hashes_computed();
    let busy = auth.testing().busy_workers().await;
    let first = waiting(&auth, there()).await;
    for long in ["x".repeat(129), "€".repeat(400), "x".repeat(100_000)] {
        let done = try_as(&auth, &here(), &long).await;
        assert!(matches!(done, Err(LogInError::Invalid(_))), "{} bytes: {done:?}", long.len());
        let done =
            auth.by(&browser()).account(&who).reauthenticate(Credential::Password(&long)).await;
        assert!(matches!(done, Err(ConfirmError::Invalid(_))), "{} bytes", long.len());
        let new = NewUser::new("bob@example.org", "Bob", &long);
        let done = auth.by(&here()).register(new).await;
        assert!(matches!(done, Err(RegisterError::Invalid(_))), "{} bytes", long.len());
    }
    assert_eq!(depth(&auth), 1);
    drop(busy);
    assert!(first.await.unwrap().is_ok());
    assert_eq!(auth.testing().hashes_computed() - before, 1);
}

// SQLite in memory has a single connection. If a login held it, or a transaction on it, nobody else could use
// the database.
#[tokio::test]
async fn neither_a_connection_nor_a_transaction_is_held_across_a_hash() {
    let database = SqlStore::connect("sqlite::memory:").await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    let service = Service::over(database, narrow(8));
    let ada = service.register(ADA).await.unwrap();
    let begun = service.log_in().await;
    let who = service.authenticate(&begun.token).await.unwrap();
    let Service { auth, .. } = service;
    let busy = auth.testing().busy_workers().await;

    let login = waiting(&auth, here()).await;
    let own = auth.clone();
    let registration = tokio::spawn(async move {
        let new = NewUser::new("bob@example.org", "Bob", PASSWORD);
        own.by(&there()).register(new).await
    });
    until_depth_is(&auth, 2).await;
    let own = auth.clone();
    let change = tokio::spawn(async move {
        own.by(&here())
            .account(&who)
            .change_password(Some(PASSWORD), "quite another set of words")
            .await
    });
    until_depth_is(&auth, 3).await;

    let meanwhile = async {
        assert_eq!(auth.users().list(None, 10).await.unwrap().len(), 1);
        assert!(auth.by(&admin()).admin().set_active(ada, true).await.unwrap());
        assert_eq!(auth.by(&browser()).sessions(ada).list().await.unwrap().len(), 1);
    };
    timeout(LONG, meanwhile).await.unwrap();
    assert_eq!(depth(&auth), 3, "they still wait for a worker");
    drop(busy);
    assert!(login.await.unwrap().is_ok());
    assert!(registration.await.unwrap().is_ok());
    assert!(change.await.unwrap().is_ok());
}
