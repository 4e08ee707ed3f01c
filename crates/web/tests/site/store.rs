//! A store that fails on demand, and counts how often sessions are looked up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use countersign_persistence::Database;
use countersign_web::domain::store::{
    Counted, KnownBrowser, RememberOutcome, RememberUse, SessionGrant, SessionRenewal,
};
use countersign_web::domain::throttle::{Count, Counter, CounterKey};
use countersign_web::domain::{
    AuditEnds, AuditEntry, AuditFilter, AuditRecord, AuditStore, EmailAddress, OffsetDateTime,
    PasswordHash, RememberStore, Remembered, RememberedId, Session, SessionId, SessionStore, Store,
    StoreError, ThrottleStore, TokenDigest, User, UserId, UserStore,
};
use rocket::async_trait;

#[derive(Clone)]
pub(crate) struct FragileStore {
    database: Database,
    is_broken: Arc<AtomicBool>,
    lookups: Arc<AtomicU64>,
}

impl FragileStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database, is_broken: Arc::default(), lookups: Arc::default() }
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

    fn get(&self) -> Result<&Database, StoreError> {
        match self.is_broken.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("the disk of db.internal is gone".into())),
            false => Ok(&self.database),
        }
    }
}

#[async_trait]
impl UserStore for FragileStore {
    async fn insert_user(&self, user: &User, entry: &AuditEntry) -> Result<(), StoreError> {
        self.get()?.insert_user(user, entry).await
    }

    async fn user_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.get()?.user_by_id(id).await
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        self.get()?.user_by_email(email).await
    }

    async fn users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.get()?.users(after, limit).await
    }

    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        keep: Option<SessionId>,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.get()?.replace_password(id, hash, keep, entry).await
    }

    async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<bool, StoreError> {
        self.get()?.upgrade_password_hash(id, from, to).await
    }

    async fn set_active(
        &self,
        id: UserId,
        active: bool,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.get()?.set_active(id, active, entry).await
    }

    async fn delete_user(&self, id: UserId, entry: &AuditEntry) -> Result<bool, StoreError> {
        self.get()?.delete_user(id, entry).await
    }
}

#[async_trait]
impl SessionStore for FragileStore {
    async fn insert_session(&self, grant: SessionGrant<'_>) -> Result<bool, StoreError> {
        self.get()?.insert_session(grant).await
    }

    async fn session_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<(Session, User)>, StoreError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.get()?.session_by_token(token).await
    }

    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        self.get()?.sessions_of(user).await
    }

    async fn touch_sessions(&self, seen: &[(SessionId, OffsetDateTime)]) -> Result<(), StoreError> {
        self.get()?.touch_sessions(seen).await
    }

    async fn renew_session(&self, renewal: SessionRenewal<'_>) -> Result<bool, StoreError> {
        self.get()?.renew_session(renewal).await
    }

    async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.get()?.end_session(user, id, entry).await
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        self.get()?.end_sessions_of(user, keep, entry).await
    }

    async fn purge_sessions(
        &self,
        now: OffsetDateTime,
        idle_since: OffsetDateTime,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.get()?.purge_sessions(now, idle_since, limit).await
    }
}

#[async_trait]
impl RememberStore for FragileStore {
    async fn use_remembered(&self, used: RememberUse<'_>) -> Result<RememberOutcome, StoreError> {
        self.get()?.use_remembered(used).await
    }

    async fn remembered_of(&self, user: UserId) -> Result<Vec<Remembered>, StoreError> {
        self.get()?.remembered_of(user).await
    }

    async fn end_remembered(
        &self,
        user: UserId,
        id: RememberedId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.get()?.end_remembered(user, id, entry).await
    }

    async fn end_series(
        &self,
        series: &TokenDigest,
        entry: &AuditEntry,
    ) -> Result<Option<UserId>, StoreError> {
        self.get()?.end_series(series, entry).await
    }

    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.get()?.purge_remembered(now, limit).await
    }
}

#[async_trait]
impl ThrottleStore for FragileStore {
    async fn count_try(
        &self,
        counters: &[Counter],
        now: OffsetDateTime,
    ) -> Result<Counted, StoreError> {
        self.get()?.count_try(counters, now).await
    }

    async fn settle_try(
        &self,
        undo: &[(Counter, Count)],
        clear: &[CounterKey],
    ) -> Result<(), StoreError> {
        self.get()?.settle_try(undo, clear).await
    }

    async fn purge_counters(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.get()?.purge_counters(now, limit).await
    }

    async fn know_browser(&self, browser: &KnownBrowser, max: u32) -> Result<(), StoreError> {
        self.get()?.know_browser(browser, max).await
    }

    async fn known_browser(&self, token: &TokenDigest) -> Result<Option<KnownBrowser>, StoreError> {
        self.get()?.known_browser(token).await
    }

    async fn forget_browsers(
        &self,
        user: UserId,
        keep: Option<&TokenDigest>,
    ) -> Result<u64, StoreError> {
        self.get()?.forget_browsers(user, keep).await
    }

    async fn purge_browsers(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.get()?.purge_browsers(now, limit).await
    }
}

#[async_trait]
impl AuditStore for FragileStore {
    async fn record(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        self.get()?.record(entries).await
    }

    async fn audit_records(
        &self,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.get()?.audit_records(filter, limit).await
    }

    async fn audit_trail(&self, after: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        self.get()?.audit_trail(after, limit).await
    }

    async fn audit_ends(&self) -> Result<AuditEnds, StoreError> {
        self.get()?.audit_ends().await
    }

    async fn age_audit(
        &self,
        cut: OffsetDateTime,
        remove: OffsetDateTime,
        limit: u32,
    ) -> Result<(u64, u64), StoreError> {
        self.get()?.age_audit(cut, remove, limit).await
    }
}

#[async_trait]
impl Store for FragileStore {
    async fn ready(&self) -> Result<(), StoreError> {
        self.get()?.ready().await
    }
}
