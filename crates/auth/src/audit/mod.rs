mod verify;

use countersign_domain::{AuditFilter, AuditRecord, StoreError, UserId};

pub use self::verify::{AuditCheck, AuditError, AuditProgress, AuditReport, NotedPlace};
use crate::core::Core;

/// The audit trail.
#[derive(Clone, Copy)]
pub struct Audit<'a>(pub(crate) &'a Core);

impl Audit<'_> {
    /// Lists at most `limit` records, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn records(
        &self,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.0.store.audit().audit_records(filter, limit).await
    }

    /// Lists what has happened to a user, the newest first: at most `limit` records before number `before`.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn activity(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let filter = AuditFilter { user: Some(user), before, ..AuditFilter::default() };
        self.0.store.audit().audit_records(filter, limit).await
    }

    /// Reads the whole audit trail, and checks that no record was changed or removed, except by the rules
    /// by which the service removes old records and shortens their addresses. Somebody who can write to
    /// the store could also write a whole new trail, or one that says that records were old. That shows if
    /// places of the earlier one were noted elsewhere.
    ///
    /// Whoever lengthens the time for which the trail is kept notes its end then: removals before a noted
    /// place are checked by the rule that they were made by.
    ///
    /// # Errors
    ///
    /// Names the record at which the trail is broken.
    pub async fn verify(&self, check: AuditCheck<'_>) -> Result<AuditReport, AuditError> {
        verify::verify(self.0, check).await
    }
}
