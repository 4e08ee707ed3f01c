//! The ports that use Countersign's own tables. They use the same single connection as changes of members, so
//! nothing here may be called while such a change is open.

use async_trait::async_trait;
use countersign_web::domain::store::{Counted, KnownBrowser};
use countersign_web::domain::throttle::{Count, Counter, CounterKey};
use countersign_web::domain::{AuditEnds, AuditEntry, AuditFilter, AuditRecord, AuditStore};
use countersign_web::domain::{ChainLink, OffsetDateTime, ThrottleStore, TokenDigest, UserId};

use super::Answer;
use crate::Members;

#[async_trait]
impl ThrottleStore for Members {
    async fn count_try(&self, counters: &[Counter], now: OffsetDateTime) -> Answer<Counted> {
        self.tables.count_try(counters, now).await
    }

    async fn settle_try(&self, undo: &[(Counter, Count)], clear: &[CounterKey]) -> Answer<()> {
        self.tables.settle_try(undo, clear).await
    }

    async fn purge_counters(&self, now: OffsetDateTime, limit: u32) -> Answer<u64> {
        self.tables.purge_counters(now, limit).await
    }

    async fn know_browser(&self, browser: &KnownBrowser, max_per_user: u32) -> Answer<()> {
        self.tables.know_browser(browser, max_per_user).await
    }

    async fn known_browser(&self, token: &TokenDigest) -> Answer<Option<KnownBrowser>> {
        self.tables.known_browser(token).await
    }

    async fn forget_browsers(&self, user: UserId, keep: Option<&TokenDigest>) -> Answer<u64> {
        self.tables.forget_browsers(user, keep).await
    }

    async fn purge_browsers(&self, now: OffsetDateTime, limit: u32) -> Answer<u64> {
        self.tables.purge_browsers(now, limit).await
    }
}

#[async_trait]
impl AuditStore for Members {
    async fn record(&self, entries: &[AuditEntry]) -> Answer<()> {
        self.tables.record(entries).await
    }

    async fn audit_records(&self, filter: AuditFilter, limit: u32) -> Answer<Vec<AuditRecord>> {
        self.tables.audit_records(filter, limit).await
    }

    async fn audit_trail(&self, after: u64, limit: u32) -> Answer<Vec<AuditRecord>> {
        self.tables.audit_trail(after, limit).await
    }

    async fn audit_subjects(
        &self,
        after: u64,
        limit: u32,
    ) -> Answer<Vec<(ChainLink, Option<UserId>)>> {
        self.tables.audit_subjects(after, limit).await
    }

    async fn audit_growth(&self) -> Answer<()> {
        self.tables.audit_growth().await
    }

    async fn audit_ends(&self) -> Answer<AuditEnds> {
        self.tables.audit_ends().await
    }

    async fn age_audit(
        &self,
        cut_before: OffsetDateTime,
        remove_before: OffsetDateTime,
        limit: u32,
    ) -> Answer<(u64, u64)> {
        self.tables.age_audit(cut_before, remove_before, limit).await
    }
}
