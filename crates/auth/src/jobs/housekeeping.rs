use countersign_domain::{Ageing, AgeingRule, Duration, StoreError};

use super::Jobs;
use crate::core::Core;
use crate::random::rng;

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
    /// # Errors
    ///
    /// When the store fails. Nothing is lost: the next call makes up for it.
    pub async fn housekeeping(&self) -> Result<(), StoreError> {
        const BATCH: u32 = 500;
        const MOST_BATCHES: u32 = 40;
        let Core { store, seen, config, .. } = self.0;
        seen.forget_written();
        // In pieces, so that no other writer waits long.
        for used in seen.unwritten().chunks(BATCH as usize) {
            store.sessions().touch_sessions(used).await?;
            seen.forget(used);
        }
        // A machine whose clock is ahead must not remove what stands for the others.
        self.0.follow_clock().await?;
        let now = self.0.now();
        // Another node may not have written down yet that a session was used since.
        let unwritten = Duration::try_from(self.housekeeping_interval() * 2);
        let idle = config.sessions.lifetimes.idle + unwritten.unwrap_or(Duration::ZERO);
        // A flood leaves more behind than one batch. What is left after the last batch waits for the next
        // call.
        for _ in 0..MOST_BATCHES {
            let mut purged = vec![
                store.sessions().purge_sessions(now, now - idle, BATCH).await?,
                store.remembered().purge_remembered(now, BATCH).await?,
                store.throttle().purge_counters(now, BATCH).await?,
            ];
            if let Some(browsers) = store.browsers() {
                purged.push(browsers.purge_browsers(now, BATCH).await?);
            }
            if let Some(pending) = store.pending() {
                purged.push(pending.purge_pending(now, BATCH).await?);
            }
            if purged.iter().all(|purged| *purged < u64::from(BATCH)) {
                break;
            }
        }
        let (shorten, remove) = (config.audit.keep_addresses_for, config.audit.keep_for);
        for (what, kept) in [(Ageing::Shorten, shorten), (Ageing::Remove, remove)] {
            let rule = AgeingRule { what, kept, limit: BATCH };
            for _ in 0..MOST_BATCHES {
                let record = rule.record(now, &mut rng());
                if store.audit().age_audit(rule, &record).await? < u64::from(BATCH) {
                    break;
                }
            }
        }
        Ok(())
    }
}
