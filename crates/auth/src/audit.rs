use countersign_domain::{
    AuditEnds, AuditFilter, AuditRecord, BrokenChain, ChainLink, StoreError, UserId,
};

use crate::core::Core;

/// What was found out about an audit trail that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// How many records were checked.
    pub records: u64,
    /// Where it begins and ends.
    pub ends: AuditEnds,
}

/// Why an audit trail could not be shown to be whole.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// It is not whole.
    #[error(transparent)]
    Broken(#[from] BrokenChain),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many records are read at once.
const BATCH: u32 = 1_000;

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

    /// Reads the whole audit trail, and checks that no record was changed or removed. Somebody who can
    /// write to the store could also write a whole new trail. That shows if the end of the earlier one was
    /// noted elsewhere and is passed as `noted`.
    ///
    /// # Errors
    ///
    /// Names the record at which the trail is broken.
    pub async fn verify(&self, noted: Option<ChainLink>) -> Result<AuditReport, AuditError> {
        loop {
            let ends = self.0.store.audit().audit_ends().await?;
            let checked = self.check_trail(ends, noted).await;
            // Old records may have been removed meanwhile.
            if checked.is_ok() || self.0.store.audit().audit_ends().await?.removed == ends.removed {
                return checked;
            }
        }
    }

    async fn check_trail(
        &self,
        ends: AuditEnds,
        noted: Option<ChainLink>,
    ) -> Result<AuditReport, AuditError> {
        let mut at = ends.removed;
        if let Some(noted) = noted.filter(|noted| (1..at.number).contains(&noted.number)) {
            // Somebody who removes everything can claim that it was old.
            let (expected, found) = (noted.number, at.number + 1);
            return Err(BrokenChain::Missing { expected, found }.into());
        }
        check_noted(noted, at)?;
        while at.number < ends.last.number {
            let records = self.0.store.audit().audit_trail(at.number, BATCH).await?;
            if records.is_empty() {
                let (expected, found) = (ends.last.number, at.number);
                return Err(BrokenChain::WrongEnd { expected, found }.into());
            }
            for record in records {
                record.check(at)?;
                at = record.link;
                check_noted(noted, at)?;
                if at.number == ends.last.number && at != ends.last {
                    return Err(BrokenChain::Altered(at.number).into());
                }
            }
        }
        self.check_end(ends, at, noted).await?;
        Ok(AuditReport { records: at.number - ends.removed.number, ends })
    }

    /// Checks that no record lies behind the end. A record that the service writes meanwhile moves the end
    /// along; any other was put there by somebody else.
    async fn check_end(
        &self,
        ends: AuditEnds,
        at: ChainLink,
        noted: Option<ChainLink>,
    ) -> Result<(), AuditError> {
        let end = self.0.store.audit().audit_ends().await?.last.number.max(ends.last.number);
        let beyond = self.0.store.audit().audit_trail(end, 1).await?;
        if let Some(record) = beyond.first() {
            let found = record.link.number;
            let now = self.0.store.audit().audit_ends().await?.last.number;
            if now < found {
                return Err(BrokenChain::WrongEnd { expected: end, found }.into());
            }
        }
        match noted {
            Some(noted) if noted.number > at.number => {
                let (expected, found) = (noted.number, at.number);
                Err(BrokenChain::WrongEnd { expected, found }.into())
            }
            _ => Ok(()),
        }
    }
}

fn check_noted(noted: Option<ChainLink>, at: ChainLink) -> Result<(), BrokenChain> {
    match noted {
        Some(noted) if noted.number == at.number && noted.hash != at.hash => {
            Err(BrokenChain::Altered(at.number))
        }
        _ => Ok(()),
    }
}
