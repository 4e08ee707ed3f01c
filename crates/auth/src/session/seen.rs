use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_domain::{BrowserUse, Duration, OffsetDateTime, SessionId, is_from_future};

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
    /// The browsers that have shown their tokens lately, and whether that is written down.
    browsers: Mutex<HashMap<[u8; 32], (BrowserUse, bool)>>,
}

/// How often it is written down that a browser is in use.
const BROWSER_EVERY: Duration = Duration::HOUR;

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

    fn browsers(&self) -> MutexGuard<'_, HashMap<[u8; 32], (BrowserUse, bool)>> {
        self.browsers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a browser has shown its token, unless that was noted a while ago.
    pub(crate) fn note_browser(&self, used: BrowserUse) {
        /// More than are in use in an hour; those beyond are written down later, or seem less used.
        const MOST: usize = 100_000;
        let mut browsers = self.browsers();
        let key = *used.token.as_bytes();
        let is_noted = browsers.get(&key).is_some_and(|(noted, _)| {
            noted.user == used.user && used.at < noted.at.saturating_add(BROWSER_EVERY)
        });
        if !is_noted && (browsers.len() < MOST || browsers.contains_key(&key)) {
            browsers.insert(key, (used, false));
        }
    }

    /// Returns the uses of browsers that are to be written.
    pub(crate) fn unwritten_browsers(&self) -> Vec<BrowserUse> {
        let browsers = self.browsers();
        browsers.values().filter(|(_, is_written)| !is_written).map(|(used, _)| *used).collect()
    }

    /// Notes that uses of browsers have been written, and forgets those of a while ago.
    pub(crate) fn browsers_written(&self, written: &[BrowserUse], now: OffsetDateTime) {
        let mut browsers = self.browsers();
        for used in written {
            if let Some((noted, is_written)) = browsers.get_mut(used.token.as_bytes())
                && noted == used
            {
                *is_written = true;
            }
        }
        browsers.retain(|_, (used, is_written)| {
            !*is_written || now < used.at.saturating_add(BROWSER_EVERY)
        });
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
