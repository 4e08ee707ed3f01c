use countersign_domain::{Ageing, AgeingRule, Clock, Duration, OffsetDateTime, StoreError};

use super::Jobs;
use super::trust::Removed;
use crate::core::Core;
use crate::random::rng;

/// How many rows are removed at once, and how often in one call.
const BATCH: u32 = 500;
const MOST_BATCHES: u32 = 40;

impl Jobs<'_> {
    /// Returns how often [`housekeeping`](Self::housekeeping) should be done: once a minute, more often where
    /// sessions idle out soon.
    pub fn housekeeping_interval(&self) -> std::time::Duration {
        let idle = self.0.config.sessions.lifetimes.idle;
        Duration::MINUTE.min(idle / 4).max(Duration::SECOND).unsigned_abs()
    }

    /// Writes down when sessions were last used, and removes what has expired, in small batches. A program
    /// calls it regularly, and once before it ends.
    ///
    /// Nothing is removed while the clocks of machine and store differ by more than
    /// [`CLOCK_TOLERANCE`](countersign_domain::CLOCK_TOLERANCE), or when the clock
    /// [is not believed](countersign_domain::ClockWatch). What was removed is in the log, by kind.
    ///
    /// # Errors
    ///
    /// When the store fails. Nothing is lost: the next call makes up for it.
    pub async fn housekeeping(&self) -> Result<(), StoreError> {
        let Core { store, seen, clock, .. } = self.0;
        seen.forget_written();
        // In pieces, so that no other writer waits long.
        for used in seen.unwritten().chunks(BATCH as usize) {
            store.sessions().touch_sessions(used).await?;
            seen.forget(used);
        }
        // Records get their place in the trail, also where nobody follows it or the clock is doubted.
        store.audit().audit_ends().await?;
        self.0.stand_ins.keep_up(&**store, clock.steady()).await;
        if let Some(browsers) = store.browsers() {
            for used in seen.unwritten_browsers().chunks(BATCH as usize) {
                browsers.use_browsers(used).await?;
                seen.browsers_written(used, self.0.now());
            }
        }
        // A machine whose clock is ahead must not remove what stands for the others.
        self.0.follow_clock().await?;
        let Some(now) = self.0.trust.now(&**store, clock, &self.0.skew).await? else {
            return Ok(());
        };
        let (begun, mut removed) = (clock.steady(), Removed::default());
        let done = self.clean_up(now, &mut removed).await;
        // Also of what was done before something failed.
        removed.log(now, clock.steady() - begun);
        done
    }

    async fn clean_up(&self, now: OffsetDateTime, removed: &mut Removed) -> Result<(), StoreError> {
        let Core { store, config, .. } = self.0;
        // Another node may not have written down yet that a session was used since.
        let unwritten = Duration::try_from(self.housekeeping_interval() * 2);
        let idle = config.sessions.lifetimes.idle + unwritten.unwrap_or(Duration::ZERO);
        // A flood leaves more behind than one batch. What is left after the last batch waits for the next
        // call.
        for _ in 0..MOST_BATCHES {
            let sessions = store.sessions().purge_sessions(now, now - idle, BATCH).await?;
            removed.sessions += sessions;
            let remembered = store.remembered().purge_remembered(now, BATCH).await?;
            removed.remembered += remembered;
            let counters = store.throttle().purge_counters(now, BATCH).await?;
            removed.counters += counters;
            let browsers = match store.browsers() {
                Some(browsers) => browsers.purge_browsers(now, BATCH).await?,
                None => 0,
            };
            removed.browsers += browsers;
            let pending = match store.pending() {
                Some(pending) => pending.purge_pending(now, BATCH).await?,
                None => 0,
            };
            removed.pending += pending;
            let purged = [sessions, remembered, counters, browsers, pending];
            if purged.iter().all(|purged| *purged < u64::from(BATCH)) {
                break;
            }
        }
        let (shorten, remove) = (config.audit.keep_addresses_for, config.audit.keep_for);
        for (what, kept) in [(Ageing::Shorten, shorten), (Ageing::Remove, remove)] {
            let rule = AgeingRule { what, kept, limit: BATCH };
            for _ in 0..MOST_BATCHES {
                let record = rule.record(now, &mut rng());
                let aged = store.audit().age_audit(rule, &record).await?;
                match what {
                    Ageing::Shorten => removed.cut += aged,
                    Ageing::Remove => removed.records += aged,
                }
                if aged < u64::from(BATCH) {
                    break;
                }
            }
        }
        Ok(())
    }
}
