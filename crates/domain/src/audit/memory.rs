use async_trait::async_trait;
use time::OffsetDateTime;

use crate::memory::{MemoryStore, State};
use crate::{AuditEnds, AuditFilter, AuditRecord, AuditStore, Record, StoreError};

#[async_trait]
impl AuditStore for MemoryStore {
    async fn record(&self, records: &[Record]) -> Result<(), StoreError> {
        let mut state = self.state();
        records.iter().for_each(|record| state.record(record));
        Ok(())
    }

    async fn audit_records(
        &self,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let state = self.state();
        let wanted = state.trail.iter().rev().filter(|record| filter.takes(record));
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    async fn audit_trail(&self, after: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let state = self.state();
        let wanted = state.trail.iter().filter(|record| record.link.number > after);
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    async fn audit_ends(&self) -> Result<AuditEnds, StoreError> {
        Ok(self.state().ends)
    }

    async fn age_audit(
        &self,
        cut_before: OffsetDateTime,
        remove_before: OffsetDateTime,
        limit: u32,
    ) -> Result<(u64, u64), StoreError> {
        let mut state = self.state();
        let State { trail: records, ends, .. } = &mut *state;
        let limit = limit as usize;
        // A record that claims to be younger than those after it was written by a wrong clock.
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
