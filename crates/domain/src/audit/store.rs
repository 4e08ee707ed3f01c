use async_trait::async_trait;

use crate::{
    AgeingRule, AuditEnds, AuditFilter, AuditRecord, ChainLink, Record, StoreError, UserId,
};

/// Keeps the audit trail. Nothing in it changes except what grows old.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Saves records of which nothing else is saved.
    async fn record(&self, records: &[Record]) -> Result<(), StoreError>;

    /// Lists at most `limit` records, the newest first.
    async fn audit_records(
        &self,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError>;

    /// Lists at most `limit` records after number `after`, the oldest first, to be checked.
    async fn audit_trail(&self, after: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError>;

    /// Lists whose sessions or account at most `limit` records after number `after` may have
    /// [changed](crate::AuthEvent::changed_user), the oldest first. It is asked all the time, so a store may
    /// have a cheaper way than by default, on which nobody else waits.
    async fn audit_users(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(ChainLink, Option<UserId>)>, StoreError> {
        let records = self.audit_trail(after, limit).await?;
        Ok(records.into_iter().map(|record| (record.link, record.event.changed_user())).collect())
    }

    /// Returns where the trail begins and ends.
    async fn audit_ends(&self) -> Result<AuditEnds, StoreError>;

    /// Waits until the trail may have grown, through whatever program, where the store is told of that;
    /// waits for ever where it is not. The caller also looks from time to time without it, and once after
    /// it begins to wait.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the store cannot tell. Another call begins to listen anew.
    async fn audit_growth(&self) -> Result<(), StoreError> {
        std::future::pending().await
    }

    /// Shortens or removes as many of the oldest records as the rule [counts](AgeingRule::count) when
    /// `record` happens, and returns how many. The record says [which](crate::Aged); the store adds that.
    async fn age_audit(&self, rule: AgeingRule, record: &Record) -> Result<u64, StoreError>;
}
