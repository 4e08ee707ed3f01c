use async_trait::async_trait;

use crate::memory::{MemoryStore, State};
use crate::{
    Aged, Ageing, AgeingRule, AuditEnds, AuditFilter, AuditRecord, AuditStore, Record, StoreError,
};

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

    async fn age_audit(&self, rule: AgeingRule, record: &Record) -> Result<u64, StoreError> {
        let mut state = self.state();
        let State { trail: records, ends, .. } = &mut *state;
        let first = match rule.what {
            Ageing::Shorten => records.iter().position(|record| record.salt.is_some()),
            Ageing::Remove => Some(0),
        };
        let first = first.unwrap_or(records.len());
        let rest = records.get_mut(first..).unwrap_or_default();
        let count = rule.count(record.at(), rest.iter().map(|record| record.event.at));
        let old = rest.get_mut(..count).unwrap_or_default();
        let (Some(last), Some(youngest)) =
            (old.last(), old.iter().map(|record| record.event.at).max())
        else {
            return Ok(0);
        };
        let aged = Aged { up_to: last.link, youngest, kept: rule.kept };
        match rule.what {
            Ageing::Shorten => old.iter_mut().for_each(AuditRecord::cut),
            Ageing::Remove => {
                ends.removed = aged.up_to;
                records.drain(..count);
            }
        }
        state.record(&record.on(aged.subject()));
        Ok(count as u64)
    }
}
