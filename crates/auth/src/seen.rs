use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_domain::{Duration, OffsetDateTime, SessionId, StoreError};

use crate::Auth;

/// What has been seen of sessions, where the store does not know it yet or need not.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When they were last used. Written behind: a session that is used for every page costs the
    /// store one write a minute.
    last: Mutex<HashMap<SessionId, OffsetDateTime>>,
    /// What has been written a short while ago: who asked the store just before may not know it.
    written: Mutex<HashMap<SessionId, OffsetDateTime>>,
    /// Those whose token has come from another browser, which is written down once.
    moved: Mutex<HashSet<SessionId>>,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, OffsetDateTime>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) -> MutexGuard<'_, HashSet<SessionId>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_moved(&self, id: SessionId) -> bool {
        self.moved().contains(&id)
    }

    /// Notes that a session's token came from another browser.
    pub(crate) fn note_moved(&self, id: SessionId) {
        /// More than a site has at once of what should never be.
        const MOST: usize = 10_000;
        let mut moved = self.moved();
        if moved.len() >= MOST {
            moved.clear();
        }
        moved.insert(id);
    }

    /// A new token begins anew.
    pub(crate) fn forget_moved(&self, id: SessionId) {
        self.moved().remove(&id);
    }

    fn written(&self) -> MutexGuard<'_, HashMap<SessionId, OffsetDateTime>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn last(&self, id: SessionId) -> Option<OffsetDateTime> {
        let last = self.lock().get(&id).copied();
        last.max(self.written().get(&id).copied())
    }

    pub(crate) fn note(&self, id: SessionId, at: OffsetDateTime) {
        let mut seen = self.lock();
        let last = seen.entry(id).or_insert(at);
        *last = at.max(*last);
    }

    fn all(&self) -> Vec<(SessionId, OffsetDateTime)> {
        self.lock().iter().map(|(id, at)| (*id, *at)).collect()
    }

    /// Forgets what has been written, unless the session was used again meanwhile.
    fn forget(&self, written: &[(SessionId, OffsetDateTime)]) {
        self.written().extend(written.iter().copied());
        let mut seen = self.lock();
        for (id, at) in written {
            if seen.get(id) == Some(at) {
                seen.remove(id);
            }
        }
    }
}

impl Auth {
    /// How often [`housekeeping`](Auth::housekeeping) should be done: once a minute, more often
    /// where sessions idle out soon.
    pub fn housekeeping_interval(&self) -> std::time::Duration {
        let idle = self.config.sessions.lifetimes.idle;
        Duration::MINUTE.min(idle / 4).max(Duration::SECOND).unsigned_abs()
    }

    /// Writes down when sessions were last used, and removes what has expired, in small batches. The
    /// Rocket fairing does it by itself; another program calls it regularly and before it ends.
    ///
    /// # Errors
    ///
    /// When the store fails. Nothing is lost: the next call makes up for it.
    pub async fn housekeeping(&self) -> Result<(), StoreError> {
        const BATCH: u32 = 500;
        const MOST_BATCHES: u32 = 40;
        // Nobody has waited for an answer since this was done the last time.
        self.seen.written().clear();
        // In pieces, so that nobody else waits long to write.
        for seen in self.seen.all().chunks(BATCH as usize) {
            self.store.touch_sessions(seen).await?;
            self.seen.forget(seen);
        }
        // A machine whose clock is ahead must not remove what stands to the others.
        self.follow_clock().await?;
        let now = self.clock.now();
        // What another node has not written down yet may have been used since.
        let unwritten = Duration::try_from(self.housekeeping_interval() * 2);
        let idle = self.config.sessions.lifetimes.idle + unwritten.unwrap_or(Duration::ZERO);
        // A flood leaves more behind than one batch; what is left after so many is for the next call.
        for _ in 0..MOST_BATCHES {
            let purged = [
                self.store.purge_sessions(now, now - idle, BATCH).await?,
                self.store.purge_remembered(now, BATCH).await?,
                self.store.purge_counters(now, BATCH).await?,
                self.store.purge_browsers(now, BATCH).await?,
            ];
            if purged.iter().all(|purged| *purged < u64::from(BATCH)) {
                break;
            }
        }
        let audit = &self.config.audit;
        let (cut, removed) = (now - audit.keep_addresses_for, now - audit.keep_for);
        for _ in 0..MOST_BATCHES {
            let (cut, removed) = self.store.age_audit(cut, removed, BATCH).await?;
            if cut.max(removed) < u64::from(BATCH) {
                break;
            }
        }
        Ok(())
    }
}
