use std::collections::HashMap;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::MemoryStore;
use crate::store::{Counted, KnownBrowser, StoreError, ThrottleStore};
use crate::throttle::{Count, Counter, CounterKey, Rule, Tally, closed};
use crate::{TokenDigest, UserId};

#[derive(Debug, Default)]
pub(super) struct Throttle {
    counters: HashMap<CounterKey, (Rule, Tally)>,
    browsers: Vec<KnownBrowser>,
}

#[async_trait]
impl ThrottleStore for MemoryStore {
    async fn count_try(
        &self,
        counters: &[Counter],
        now: OffsetDateTime,
    ) -> Result<Counted, StoreError> {
        let tallies = &mut self.state().throttle.counters;
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
        let tallies = &mut self.state().throttle.counters;
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
        let tallies = &mut self.state().throttle.counters;
        let (before, mut left) = (tallies.len(), limit);
        tallies.retain(|_, (rule, tally)| {
            let gone = left > 0 && rule.forgets_at(*tally) <= now;
            left -= u32::from(gone);
            !gone
        });
        Ok((before - tallies.len()) as u64)
    }

    async fn know_browser(
        &self,
        browser: &KnownBrowser,
        max_per_user: u32,
    ) -> Result<(), StoreError> {
        let browsers = &mut self.state().throttle.browsers;
        browsers.push(*browser);
        let mut beyond = browsers.iter().filter(|b| b.user_id == browser.user_id).count();
        beyond = beyond.saturating_sub(max_per_user as usize);
        browsers.retain(|b| {
            let gone = beyond > 0 && b.user_id == browser.user_id;
            beyond -= usize::from(gone);
            !gone
        });
        Ok(())
    }

    async fn known_browser(&self, token: &TokenDigest) -> Result<Option<KnownBrowser>, StoreError> {
        let browsers = &self.state().throttle.browsers;
        Ok(browsers.iter().find(|b| b.token == *token).copied())
    }

    async fn forget_browsers(
        &self,
        user: UserId,
        keep: Option<&TokenDigest>,
    ) -> Result<u64, StoreError> {
        let browsers = &mut self.state().throttle.browsers;
        let before = browsers.len();
        browsers.retain(|b| b.user_id != user || Some(&b.token) == keep);
        Ok((before - browsers.len()) as u64)
    }

    async fn purge_browsers(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let browsers = &mut self.state().throttle.browsers;
        let (before, mut left) = (browsers.len(), limit);
        browsers.retain(|b| {
            let gone = left > 0 && b.expires_at < now;
            left -= u32::from(gone);
            !gone
        });
        Ok((before - browsers.len()) as u64)
    }
}
