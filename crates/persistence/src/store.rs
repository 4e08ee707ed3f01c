use std::sync::Arc;

use async_trait::async_trait;
use countersign_domain::{
    AuditStore, BrowserStore, Clock, Duration, PendingStore, Record, RememberStore, SessionStore,
    SiteStore, Store, StoreError, ThrottleStore, TokenDigest, UserId, UserStore,
};
use sea_orm::{ConnectionTrait, EntityTrait, QuerySelect};

use crate::audit::append::append;
use crate::call::Deadline;
use crate::database::SqlStore;
use crate::ending::forget;
use crate::error::unavailable;
use crate::tables::{with_each_growing_table, with_each_moving_table, with_each_table};

impl SqlStore {
    /// Saves what belongs to a change within a transaction of the application's, so that a change in its
    /// own tables is recorded if and only if it is made. On SQLite that transaction must have begun as an
    /// immediate one.
    ///
    /// # Errors
    ///
    /// When nothing was saved.
    pub async fn append(
        transaction: &impl ConnectionTrait,
        record: &Record,
    ) -> Result<(), StoreError> {
        append(transaction, record).await
    }

    /// Forgets what Countersign's own tables keep of a user, within a transaction of the application's that
    /// ends their sessions: known browsers, except the one with the token `keep`, and logins that wait for a
    /// second factor.
    ///
    /// # Errors
    ///
    /// When nothing was forgotten.
    pub async fn forget(
        transaction: &impl ConnectionTrait,
        user: UserId,
        keep: Option<&TokenDigest>,
    ) -> Result<(), StoreError> {
        forget(transaction, user, keep).await
    }
}

#[async_trait]
impl Store for SqlStore {
    fn users(&self) -> &dyn UserStore {
        self
    }

    fn sessions(&self) -> &dyn SessionStore {
        self
    }

    fn remembered(&self) -> &dyn RememberStore {
        self
    }

    fn throttle(&self) -> &dyn ThrottleStore {
        self
    }

    fn audit(&self) -> &dyn AuditStore {
        self
    }

    fn browsers(&self) -> Option<&dyn BrowserStore> {
        Some(self)
    }

    fn pending(&self) -> Option<&dyn PendingStore> {
        Some(self)
    }

    fn site(&self) -> Option<&dyn SiteStore> {
        Some(self)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        if self.server_clock().ahead().is_none() {
            self.read_server_clock().await?;
        }
        // Names every column and reads no row.
        let db = &self.read(Deadline::of_call()).await?;
        with_each_table!(Table => Table::find().limit(0).all(db).await.map_err(unavailable)?);
        Ok(())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(self.server_clock()) as Arc<dyn Clock>
    }

    async fn read_clock(&self) -> Result<Option<Duration>, StoreError> {
        self.read_server_clock().await
    }
}
