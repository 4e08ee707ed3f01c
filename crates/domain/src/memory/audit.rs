use async_trait::async_trait;
use time::OffsetDateTime;

use super::MemoryStore;
use crate::store::{AuditStore, StoreError};
use crate::{AuditEnds, AuditEntry, AuditFilter, AuditRecord};

#[derive(Debug, Default)]
pub(super) struct Trail {
    records: Vec<AuditRecord>,
    ends: AuditEnds,
}

impl Trail {
    pub(super) fn append(&mut self, entry: &AuditEntry) {
        let record = entry.record_after(self.ends.last);
        self.ends.last = record.link;
        self.records.push(record);
    }
}

#[async_trait]
impl AuditStore for MemoryStore {
    async fn record(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let trail = &mut self.state().trail;
        entries.iter().for_each(|entry| trail.append(entry));
        Ok(())
    }

    async fn audit_records(
        &self,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let state = self.state();
        let wanted = state.trail.records.iter().rev().filter(|record| filter.takes(record));
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    async fn audit_trail(&self, after: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let state = self.state();
        let wanted = state.trail.records.iter().filter(|record| record.link.number > after);
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    async fn audit_ends(&self) -> Result<AuditEnds, StoreError> {
        Ok(self.state().trail.ends)
    }

    async fn age_audit(
        &self,
        cut_before: OffsetDateTime,
        remove_before: OffsetDateTime,
        limit: u32,
    ) -> Result<(u64, u64), StoreError> {
        let Trail { records, ends } = &mut self.state().trail;
        let limit = limit as usize;
        // One that says that it is younger than those after it was written by a wrong clock.
        let old = |records: &[AuditRecord], before| {
            let old = records.iter().take(limit).rposition(|record| record.event.at < before);
            old.map_or(0, |last| last + 1)
        };
        let first = records.iter().position(|record| record.salt.is_some());
        let first = first.unwrap_or(records.len());
        let whole = records.get_mut(first..).unwrap_or_default();
        let cut = old(whole, cut_before);
        whole.iter_mut().take(cut).for_each(AuditRecord::cut);
        let removed = old(records, remove_before);
        if let Some(last) = records.drain(..removed).next_back() {
            ends.removed = last.link;
        }
        Ok((cut as u64, removed as u64))
    }
}
