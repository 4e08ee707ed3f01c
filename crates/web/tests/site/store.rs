//! A store that fails on demand, and counts how often it is asked who somebody is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use countersign_persistence::Database;
use countersign_web::domain::store::{RememberOutcome, RememberUse, SessionGrant, SessionRenewal};
use countersign_web::domain::{
    EmailAddress, OffsetDateTime, PasswordHash, RememberStore, Remembered, RememberedId, Session,
    SessionId, SessionStore, Store, StoreError, TokenDigest, User, UserId, UserStore,
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

    /// How often a session was looked up.
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
    async fn insert_user(&self, user: &User) -> Result<(), StoreError> {
        self.get()?.insert_user(user).await
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
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        self.get()?.replace_password(id, hash, keep, now).await
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
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        self.get()?.set_active(id, active, now).await
    }

    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError> {
        self.get()?.delete_user(id).await
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

    async fn end_session(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        self.get()?.end_session(user, id).await
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        self.get()?.end_sessions_of(user, keep).await
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

    async fn end_remembered(&self, user: UserId, id: RememberedId) -> Result<bool, StoreError> {
        self.get()?.end_remembered(user, id).await
    }

    async fn end_series(&self, series: &TokenDigest) -> Result<bool, StoreError> {
        self.get()?.end_series(series).await
    }

    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.get()?.purge_remembered(now, limit).await
    }
}

#[async_trait]
impl Store for FragileStore {
    async fn ready(&self) -> Result<(), StoreError> {
        self.get()?.ready().await
    }
}
