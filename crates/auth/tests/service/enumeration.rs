//! Tests that what is computed for a login tells nobody who has an account, after the cost of hashes was
//! changed too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_auth::domain::memory::MemoryStore;
use countersign_auth::domain::{
    AuditStore, Basis, Duration, EmailAddress, HashCount, PasswordHash, Record, RememberStore,
    Renaming, SessionRenewal, SessionStore, Store, StoreError, ThrottleStore, User, UserId,
    UserStore,
};
use countersign_auth::{AuthConfig, Credential};
use countersign_persistence::SqlStore;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;

use crate::support::{PASSWORD, Service, cheap};

const OLD: &str = "$argon2id$v=19$m=16,t=1,p=1";
const NEW: &str = "$argon2id$v=19$m=8,t=1,p=1";
/// No cost that anybody has, with a salt and an output.
const REST: &str = "c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

fn without_throttle() -> AuthConfig {
    let mut config = cheap();
    config.throttle = None;
    config
}

/// Saves users with hashes of a cost.
async fn settle(store: &impl Store, name: &str, cost: &str, count: usize) {
    for n in 0..count {
        let email = EmailAddress::parse(&format!("{name}{n}@example.org")).unwrap();
        let start = time::macros::datetime!(2026-02-01 12:00 UTC);
        let id = UserId::generate(start, &mut UnwrapErr(SysRng));
        let mut user = User::new(id, email, "Ada".parse_name(), start);
        user.password_hash = Some(PasswordHash::from_phc(format!("{cost}${REST}")));
        let record = countersign_auth::domain::contract::any_record();
        store.users().insert_user(&user, &record).await.unwrap();
    }
}

trait ParseName {
    fn parse_name(&self) -> countersign_auth::domain::Username;
}

impl ParseName for str {
    fn parse_name(&self) -> countersign_auth::domain::Username {
        countersign_auth::domain::Username::parse(self).unwrap()
    }
}

/// Returns what one wrong login computes.
async fn cost_of(service: &Service, email: &str) -> String {
    let before = service.auth.testing().costs_computed().len();
    service.try_log_in(email, "wrong").await.unwrap_err();
    let computed = service.auth.testing().costs_computed();
    assert_eq!(computed.len(), before + 1, "exactly one hash");
    computed.last().unwrap().clone()
}

/// Returns what wrong logins of a hundred people compute who do not exist.
async fn costs_of_nobody(service: &Service) -> Vec<String> {
    let mut costs = Vec::new();
    for n in 0..100 {
        costs.push(cost_of(service, &format!("nobody{n}@example.org")).await);
    }
    costs
}

fn counted(costs: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    costs.iter().for_each(|cost| *counts.entry(cost.as_str()).or_default() += 1);
    counts
}

#[tokio::test]
async fn after_the_cost_was_changed_nobody_costs_what_users_do_in_the_same_proportion() {
    let store = MemoryStore::default();
    settle(&store, "old", OLD, 70).await;
    settle(&store, "new", NEW, 30).await;
    let service = Service::over(store, without_throttle());
    assert_eq!(cost_of(&service, "old7@example.org").await, OLD);
    assert_eq!(cost_of(&service, "new7@example.org").await, NEW);
    let costs = costs_of_nobody(&service).await;
    let counts = counted(&costs);
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [OLD, NEW]);
    assert!(counts[OLD].abs_diff(70) < 20, "{counts:?}");
}

#[tokio::test]
async fn nobody_costs_the_same_in_every_spelling_on_each_node_and_after_a_restart() {
    let database = SqlStore::connect("sqlite::memory:").await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    settle(&database, "old", OLD, 5).await;
    settle(&database, "new", NEW, 5).await;
    let one = Service::over(database.clone(), without_throttle());
    let costs = costs_of_nobody(&one).await;
    assert_eq!(counted(&costs).len(), 2);
    let other = one.again(database.clone(), without_throttle());
    assert_eq!(costs_of_nobody(&other).await, costs);
    for (n, cost) in costs.iter().enumerate().take(10) {
        let spelled = format!("NoBody{n}@EXAMPLE.org");
        assert_eq!(cost_of(&other, &spelled).await, *cost);
    }
    // Without the secret nobody can tell.
    let elsewhere = SqlStore::connect("sqlite::memory:").await.unwrap();
    countersign_migration::up(elsewhere.connection()).await.unwrap();
    settle(&elsewhere, "old", OLD, 5).await;
    settle(&elsewhere, "new", NEW, 5).await;
    let elsewhere = Service::over(elsewhere, without_throttle());
    assert_ne!(costs_of_nobody(&elsewhere).await, costs);
}

#[tokio::test]
async fn nobody_moves_on_with_the_users_and_never_back() {
    let store = MemoryStore::default();
    settle(&store, "old", OLD, 60).await;
    settle(&store, "new", NEW, 40).await;
    let service = Service::over(store.clone(), without_throttle());
    let before = costs_of_nobody(&service).await;
    settle(&store, "later", NEW, 50).await;
    service.keep_house().await;
    assert_eq!(costs_of_nobody(&service).await, before, "they are counted four times an hour");
    service.advance(Duration::minutes(15));
    service.keep_house().await;
    let after = costs_of_nobody(&service).await;
    // The cheaper one comes first here, so that nobody of it becomes dear.
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
    assert!(moved.clone().count() > 0);
    assert!(moved.into_iter().all(|(before, after)| before == OLD && after == NEW));
}

#[tokio::test]
async fn whoever_is_disabled_or_has_no_hash_costs_what_they_would_otherwise() {
    let store = MemoryStore::default();
    settle(&store, "old", OLD, 6).await;
    settle(&store, "new", NEW, 6).await;
    let service = Service::over(store.clone(), without_throttle());
    for (email, cost) in [("old0@example.org", OLD), ("new0@example.org", NEW)] {
        let email = EmailAddress::parse(email).unwrap();
        let user = service.auth.users().by_email(&email).await.unwrap().unwrap();
        assert!(service.admin().set_active(user.id, false).await.unwrap());
        assert_eq!(cost_of(&service, email.as_str()).await, cost, "it does not show");
    }
    // One who has no hash, or one that cannot be checked, costs what nobody of that name does.
    let nobody = costs_of_nobody(&service).await;
    for (n, hash) in
        [(0, None), (1, Some("$argon2id$v=19$m=8,t=1,p=1$c29tZQ$CTFhFdXPJO1aFaMaO6Mm5Q"))]
    {
        let email = EmailAddress::parse(&format!("nobody{n}@example.org")).unwrap();
        let start = time::macros::datetime!(2026-02-01 12:00 UTC);
        let id = UserId::generate(start, &mut UnwrapErr(SysRng));
        let mut user = User::new(id, email.clone(), "Ada".parse_name(), start);
        user.password_hash = hash.map(PasswordHash::from_phc);
        let record = countersign_auth::domain::contract::any_record();
        store.insert_user(&user, &record).await.unwrap();
        assert_eq!(cost_of(&service, email.as_str()).await, nobody[n]);
    }
}

#[tokio::test]
async fn a_password_that_is_confirmed_costs_one_hash_and_only_a_right_one_is_hashed_anew() {
    let store = MemoryStore::default();
    let mut dear = without_throttle();
    dear.hashing.memory_kib = 19_456;
    dear.hashing.iterations = 2;
    let before = Service::over(store.clone(), dear);
    before.register("ada@example.org").await.unwrap();
    let service = before.again(store, without_throttle());
    let computed = || service.auth.testing().costs_computed();
    service.try_log_in("ada@example.org", "wrong").await.unwrap_err();
    let [old] = &computed()[..] else { panic!("{:?}", computed()) };
    assert_eq!(old, "$argon2id$v=19$m=19456,t=2,p=1");
    let begun = service.log_in().await;
    assert_eq!(computed()[1..], [old.clone(), NEW.to_owned()]);
    let who = service.authenticate(&begun.token).await.unwrap();
    let caller = crate::support::browser();
    let account = service.auth.by(&caller).account(&who);
    account.reauthenticate(Credential::Password("wrong")).await.unwrap_err();
    account.reauthenticate(Credential::Password(PASSWORD)).await.unwrap();
    assert_eq!(computed()[3..], [NEW, NEW]);
}

/// A store of an application, without any port that it may leave out, that cannot count its users.
#[derive(Clone, Default)]
struct Own(MemoryStore, Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Store for Own {
    fn users(&self) -> &dyn UserStore {
        self
    }

    fn sessions(&self) -> &dyn SessionStore {
        self.0.sessions()
    }

    fn remembered(&self) -> &dyn RememberStore {
        self.0.remembered()
    }

    fn throttle(&self) -> &dyn ThrottleStore {
        self.0.throttle()
    }

    fn audit(&self) -> &dyn AuditStore {
        self.0.audit()
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait::async_trait]
impl UserStore for Own {
    async fn insert_user(&self, user: &User, record: &Record) -> Result<(), StoreError> {
        self.0.insert_user(user, record).await
    }

    async fn user_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.0.user_by_id(id).await
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        self.0.user_by_email(email).await
    }

    async fn list_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.0.list_users(after, limit).await
    }

    async fn count_hashes(&self) -> Result<Vec<HashCount>, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Err(StoreError::Unavailable("it cannot count".into()))
    }

    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        renewal: Option<SessionRenewal<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        self.0.replace_password(id, hash, renewal, record).await
    }

    async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<bool, StoreError> {
        self.0.upgrade_password_hash(id, from, to).await
    }

    async fn rename_user(
        &self,
        id: UserId,
        renaming: Renaming<'_>,
        basis: Option<Basis<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        self.0.rename_user(id, renaming, basis, record).await
    }

    async fn set_active(
        &self,
        id: UserId,
        active: bool,
        record: &Record,
    ) -> Result<bool, StoreError> {
        self.0.set_active(id, active, record).await
    }

    async fn delete_user(
        &self,
        id: UserId,
        basis: Option<Basis<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        self.0.delete_user(id, basis, record).await
    }
}

#[tokio::test]
async fn users_log_in_where_the_store_cannot_count_them() {
    let store = Own::default();
    let service = Service::over(store.clone(), without_throttle());
    let counts = || store.1.load(Ordering::Relaxed);
    service.register("ada@example.org").await.unwrap();
    service.log_in().await;
    assert_eq!(cost_of(&service, "nobody@example.org").await, NEW);
    assert_eq!(counts(), 1, "no other login waits for what may take seconds to fail");
    service.keep_house().await;
    assert_eq!(counts(), 2);
    service.log_in().await;
    service.keep_house().await;
    assert_eq!(counts(), 2);
    service.advance(Duration::minutes(15));
    service.keep_house().await;
    assert_eq!(counts(), 3);
}
