use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{AuditEnds, AuditEntry, AuditFilter, AuditRecord, ChainLink, StoreError, UserId};

/// Keeps the audit trail. Nothing in it changes but what grows old.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Appends entries of which nothing else is saved.
    ///
    /// # Errors
    ///
    /// When none was appended.
    async fn record(&self, entries: &[AuditEntry]) -> Result<(), StoreError>;

    /// At most `limit` records, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn audit_records(
        &self,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError>;

    /// At most `limit` records after number `after`, the oldest first, to be checked.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn audit_trail(&self, after: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError>;

    /// Whom at most `limit` records after number `after` are about, the oldest first. Asked all the time,
    /// so a store may have a cheaper way than by default, and one on which nobody else waits.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn audit_subjects(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(ChainLink, Option<UserId>)>, StoreError> {
        let records = self.audit_trail(after, limit).await?;
        Ok(records.into_iter().map(|record| (record.link, record.event.user)).collect())
    }

    /// Where the trail begins and ends.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn audit_ends(&self) -> Result<AuditEnds, StoreError>;

    /// Returns when the trail may have grown, whoever wrote it, where the store is told of that; never,
    /// where it is not. So one also asks without it from time to time, and once after it begins.
    ///
    /// # Errors
    ///
    /// When nobody tells any more. To ask again is to be told anew.
    async fn audit_growth(&self) -> Result<(), StoreError> {
        std::future::pending().await
    }

    /// Cuts the addresses of at most `limit` records from before `cut_before` to their network, and
    /// removes at most `limit` records from before `remove_before`. Says how many of each.
    ///
    /// # Errors
    ///
    /// When the trail is as it was.
    async fn age_audit(
        &self,
        cut_before: OffsetDateTime,
        remove_before: OffsetDateTime,
        limit: u32,
    ) -> Result<(u64, u64), StoreError>;
}
