use countersign_domain::{
    AuditEnds, AuditFilter, AuditRecord, BrokenChain, ChainLink, StoreError, UserId,
};

use crate::Auth;

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
    /// It is not.
    #[error(transparent)]
    Broken(#[from] BrokenChain),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many records are read at once.
const BATCH: u32 = 1_000;

impl Auth {
    /// At most `limit` records of the audit trail, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn audit_records(
        &self,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.store.audit_records(filter, limit).await
    }

    /// What has happened to a user, the newest first: at most `limit` records before number
    /// `before`.
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
        self.store.audit_records(filter, limit).await
    }

    /// Reads the whole audit trail, and checks that no record was changed or removed. Whoever can
    /// write to the store can make a whole new trail, too; that shows where the end of an earlier
    /// one was noted elsewhere and is handed in as `noted`.
    ///
    /// # Errors
    ///
    /// Says at which record the trail is broken.
    pub async fn verify_audit(&self, noted: Option<ChainLink>) -> Result<AuditReport, AuditError> {
        loop {
            let ends = self.store.audit_ends().await?;
            let checked = self.check_trail(ends, noted).await;
            // Old records may have been removed meanwhile.
            if checked.is_ok() || self.store.audit_ends().await?.removed == ends.removed {
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
            // Whoever removes everything can say that it was old.
            let (expected, found) = (noted.number, at.number + 1);
            return Err(BrokenChain::Missing { expected, found }.into());
        }
        check_noted(noted, at)?;
        while at.number < ends.last.number {
            let records = self.store.audit_trail(at.number, BATCH).await?;
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

    /// A record behind the end was not there when the end was noted, or was put there by somebody
    /// else: what is written meanwhile moves the end along.
    async fn check_end(
        &self,
        ends: AuditEnds,
        at: ChainLink,
        noted: Option<ChainLink>,
    ) -> Result<(), AuditError> {
        let end = self.store.audit_ends().await?.last.number.max(ends.last.number);
        let beyond = self.store.audit_trail(end, 1).await?;
        if let Some(record) = beyond.first() {
            let found = record.link.number;
            let now = self.store.audit_ends().await?.last.number;
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
