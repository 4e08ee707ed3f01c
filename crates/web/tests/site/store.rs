//! A store that fails on demand, and counts how often sessions are looked up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use countersign_persistence::SqlStore;
use countersign_web::domain::{
    AuditStore, BrowserStore, Ended, Keep, OffsetDateTime, PendingStore, Record, RememberStore,
    Session, SessionGrant, SessionId, SessionRenewal, SessionStore, Store, StoreError,
    ThrottleStore, TokenDigest, User, UserId, UserStore,
};
use rocket::async_trait;

/// What the store says when it is broken: its tables are gone.
pub(crate) const CAUSE: &str = "no such table";

#[derive(Clone)]
pub(crate) struct FragileStore {
    whole: SqlStore,
    /// A database without tables.
    broken: SqlStore,
    is_broken: Arc<AtomicBool>,
    lookups: Arc<AtomicU64>,
}

impl FragileStore {
    pub(crate) async fn new(whole: SqlStore) -> Self {
        let broken = SqlStore::connect("sqlite::memory:").await.unwrap();
        Self { whole, broken, is_broken: Arc::default(), lookups: Arc::default() }
    }

    pub(crate) fn break_down(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
    }

    pub(crate) fn recover(&self) {
        self.is_broken.store(false, Ordering::SeqCst);
    }

    /// Returns how often a session was looked up.
    pub(crate) fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::SeqCst)
    }

    fn now(&self) -> &SqlStore {
        match self.is_broken.load(Ordering::SeqCst) {
            true => &self.broken,
            false => &self.whole,
        }
    }
}

#[async_trait]
impl Store for FragileStore {
    fn users(&self) -> &dyn UserStore {
        self.now().users()
    }

    fn sessions(&self) -> &dyn SessionStore {
        self
    }

    fn remembered(&self) -> &dyn RememberStore {
        self.now().remembered()
    }

    fn throttle(&self) -> &dyn ThrottleStore {
        self.now().throttle()
    }

    fn audit(&self) -> &dyn AuditStore {
        self.now().audit()
    }

    fn browsers(&self) -> Option<&dyn BrowserStore> {
        self.now().browsers()
    }

    fn pending(&self) -> Option<&dyn PendingStore> {
        self.now().pending()
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.now().ready().await
    }
}

#[async_trait]
impl SessionStore for FragileStore {
    async fn session_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<(Session, User)>, StoreError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.now().sessions().session_by_token(token).await
    }

    async fn insert_session(
        &self,
        grant: SessionGrant<'_>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        self.now().sessions().insert_session(grant, record).await
    }

    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        self.now().sessions().sessions_of(user).await
    }

    async fn touch_sessions(&self, seen: &[(SessionId, OffsetDateTime)]) -> Result<(), StoreError> {
        self.now().sessions().touch_sessions(seen).await
    }

    async fn renew_session(
        &self,
        renewal: SessionRenewal<'_>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        self.now().sessions().renew_session(renewal, record).await
    }

    async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        by: Option<SessionId>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        self.now().sessions().end_session(user, id, by, record).await
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<Keep<'_>>,
        record: &Record,
    ) -> Result<Ended, StoreError> {
        self.now().sessions().end_sessions_of(user, keep, record).await
    }

    async fn purge_sessions(
        &self,
        now: OffsetDateTime,
        idle_since: OffsetDateTime,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.now().sessions().purge_sessions(now, idle_since, limit).await
    }
}
