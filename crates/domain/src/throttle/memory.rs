use async_trait::async_trait;
use time::OffsetDateTime;

use super::counter::{Counter, CounterKey, closed};
use super::rule::{Count, Tally};
use super::store::{Counted, ThrottleStore};
use crate::StoreError;
use crate::memory::MemoryStore;

#[async_trait]
impl ThrottleStore for MemoryStore {
    async fn count_try(
        &self,
        counters: &[Counter],
        now: OffsetDateTime,
    ) -> Result<Counted, StoreError> {
        let tallies = &mut self.state().counters;
        let found: Vec<_> = counters
            .iter()
            .map(|counter| tallies.get(&counter.key).map(|(_, tally)| *tally))
            .collect();
        if let Some((counter, until)) = closed(counters, &found, now) {
            return Ok(Counted::Out { counter, until });
        }
        let count = |(counter, before): (&Counter, Option<Tally>)| {
            let after = counter.rule.count(before, now);
            tallies.insert(counter.key, (counter.rule, after));
            Count { before, after }
        };
        Ok(Counted::In(counters.iter().zip(found).map(count).collect()))
    }

    async fn settle_try(
        &self,
        undo: &[(Counter, Count)],
        clear: &[CounterKey],
    ) -> Result<(), StoreError> {
        let tallies = &mut self.state().counters;
        for (counter, count) in undo {
            let current = tallies.get(&counter.key).map(|(_, tally)| *tally);
            match counter.rule.undo(current, *count) {
                Some(tally) => tallies.insert(counter.key, (counter.rule, tally)),
                None => tallies.remove(&counter.key),
            };
        }
        for key in clear {
            tallies.remove(key);
        }
        Ok(())
    }

    async fn purge_counters(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let tallies = &mut self.state().counters;
        let (before, mut left) = (tallies.len(), limit);
        tallies.retain(|_, (rule, tally)| {
            let gone = left > 0 && !rule.remembers(*tally, now);
            left -= u32::from(gone);
            !gone
        });
        Ok((before - tallies.len()) as u64)
    }
}
