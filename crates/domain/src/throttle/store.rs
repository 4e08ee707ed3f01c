use async_trait::async_trait;
use time::OffsetDateTime;

use super::counter::{Counter, CounterKey};
use super::rule::Count;
use crate::StoreError;

/// What became of a try that was to be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is let in. Holds what it did to each of the counters.
    In(Vec<Count>),
    /// A counter does not let it in. Nothing was counted.
    Out {
        /// Which of the counters: of several, the one that is closed for the longest.
        counter: usize,
        /// When it lets the next try in.
        until: OffsetDateTime,
    },
}

/// Keeps the counters that slow guesses down.
#[async_trait]
pub trait ThrottleStore: Send + Sync {
    /// Counts a try with all of the counters, if all of them let it in. Tries at the same time are let in
    /// as if they had come one after the other.
    async fn count_try(
        &self,
        counters: &[Counter],
        now: OffsetDateTime,
    ) -> Result<Counted, StoreError>;

    /// Takes a try back from some of its counters, as [`Rule::undo`](crate::throttle::Rule::undo) does, and
    /// forgets all tries of others.
    async fn settle_try(
        &self,
        undo: &[(Counter, Count)],
        clear: &[CounterKey],
    ) -> Result<(), StoreError>;

    /// Removes at most `limit` counters that have nothing to remember at `now`, because it is long ago or a
    /// wrong clock counted it in the [future](crate::is_from_future). Returns how many.
    async fn purge_counters(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;
}
