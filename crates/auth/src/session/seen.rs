use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_domain::{OffsetDateTime, SessionId, is_from_future};

/// What has been seen of sessions and is not in the store, or not yet.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When they were last used. It is written behind, so that a session in use costs the store one write a
    /// minute.
    last: Mutex<HashMap<SessionId, OffsetDateTime>>,
    /// What was written a short while ago. A lookup that was under way then may not have seen it.
    written: Mutex<HashMap<SessionId, OffsetDateTime>>,
    /// The sessions whose token came from another browser, which is written down once.
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
        /// More than any site has at once: this should never happen.
        const MOST: usize = 10_000;
        let mut moved = self.moved();
        if moved.len() >= MOST {
            moved.clear();
        }
        moved.insert(id);
    }

    /// Forgets that a session's token came from another browser: it has a new one.
    pub(crate) fn forget_moved(&self, id: SessionId) {
        self.moved().remove(&id);
    }

    fn written(&self) -> MutexGuard<'_, HashMap<SessionId, OffsetDateTime>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was written before: every lookup from that time has ended.
    pub(crate) fn forget_written(&self) {
        self.written().clear();
    }

    pub(crate) fn last(&self, id: SessionId) -> Option<OffsetDateTime> {
        let last = self.lock().get(&id).copied();
        last.max(self.written().get(&id).copied())
    }

    pub(crate) fn note(&self, id: SessionId, at: OffsetDateTime) {
        let mut seen = self.lock();
        let last = seen.entry(id).or_insert(at);
        if *last < at || is_from_future(*last, at) {
            *last = at;
        }
    }

    /// Returns the times that are to be written.
    pub(crate) fn unwritten(&self) -> Vec<(SessionId, OffsetDateTime)> {
        self.lock().iter().map(|(id, at)| (*id, *at)).collect()
    }

    /// Forgets what has been written, unless the session was used again meanwhile.
    pub(crate) fn forget(&self, written: &[(SessionId, OffsetDateTime)]) {
        self.written().extend(written.iter().copied());
        let mut seen = self.lock();
        for (id, at) in written {
            if seen.get(id) == Some(at) {
                seen.remove(id);
            }
        }
    }
}
