//! A store that lives in memory and is gone with the program.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::throttle::{CounterKey, Rule, Tally};
use crate::{
    AuditEnds, AuditRecord, AuditStore, BrowserStore, KnownBrowser, PendingLogin, PendingStore,
    Record, RememberStore, Remembered, RememberedId, Session, SessionId, SessionStore, Store,
    StoreError, ThrottleStore, TokenDigest, User, UserId, UserStore,
};

/// Keeps everything in memory. A clone is the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) users: HashMap<UserId, User>,
    pub(crate) sessions: HashMap<SessionId, (TokenDigest, Session)>,
    pub(crate) remembered: HashMap<RememberedId, Series>,
    pub(crate) counters: HashMap<CounterKey, (Rule, Tally)>,
    pub(crate) browsers: Vec<KnownBrowser>,
    pub(crate) pending: Vec<Waiting>,
    pub(crate) trail: Vec<AuditRecord>,
    pub(crate) ends: AuditEnds,
}

/// A remembered login with what recognises its secrets.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) remembered: Remembered,
    pub(crate) series: TokenDigest,
    pub(crate) secret: TokenDigest,
    pub(crate) previous: Option<TokenDigest>,
}

/// A login that waits for a second factor.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) token: TokenDigest,
    pub(crate) login: PendingLogin,
    pub(crate) tries: u32,
}

impl MemoryStore {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // No method leaves the state half changed, so a panicked test's state is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Appends what a record says to the audit trail.
    pub(crate) fn record(&mut self, record: &Record) {
        let record = record.audit.record_after(self.ends.last);
        self.ends.last = record.link;
        self.trail.push(record);
    }

    /// Ends the sessions and remembered logins of a user, except `keep` and the one that it belongs to.
    pub(crate) fn end_sessions(&mut self, user: UserId, keep: Option<SessionId>) -> u64 {
        let kept = keep.and_then(|id| self.sessions.get(&id)?.1.remembered);
        self.remembered.retain(|id, s| s.remembered.user_id != user || Some(*id) == kept);
        self.remove_sessions(|session| session.user_id == user && Some(session.id) != keep)
    }

    /// Ends remembered logins with the sessions that belong to them.
    pub(crate) fn end_remembered(&mut self, mut gone: impl FnMut(&Series) -> bool) -> u64 {
        let before = self.remembered.len();
        self.remembered.retain(|_, series| !gone(series));
        let left: HashSet<RememberedId> = self.remembered.keys().copied().collect();
        self.remove_sessions(|session| session.remembered.is_some_and(|id| !left.contains(&id)));
        (before - self.remembered.len()) as u64
    }

    /// Ends the remembered logins of a user that are too many: the ones that were not used for the longest.
    pub(crate) fn forget_beyond(&mut self, user: UserId, max: u32) {
        let all = self.remembered.values().map(|series| &series.remembered);
        let mut all: Vec<_> =
            all.filter(|r| r.user_id == user).map(|r| (r.used_at, r.id)).collect();
        all.sort_by_key(|one| std::cmp::Reverse(*one));
        let gone: Vec<_> = all.into_iter().skip(max as usize).map(|(_, id)| id).collect();
        self.end_remembered(|series| gone.contains(&series.remembered.id));
    }

    /// Begins a session in place of the earlier one of its remembered login, and ends those of its user that
    /// are too many.
    pub(crate) fn begin(&mut self, session: &Session, token: &TokenDigest, max: u32) {
        let login = session.remembered;
        self.remove_sessions(|earlier| login.is_some() && earlier.remembered == login);
        self.sessions.insert(session.id, (*token, session.clone()));
        for old in self.sessions_newest_first(session.user_id).iter().skip(max as usize) {
            self.sessions.remove(&old.id);
        }
    }

    pub(crate) fn remove_sessions(&mut self, mut gone: impl FnMut(&Session) -> bool) -> u64 {
        let before = self.sessions.len();
        self.sessions.retain(|_, (_, session)| !gone(session));
        (before - self.sessions.len()) as u64
    }

    pub(crate) fn sessions_newest_first(&self, user: UserId) -> Vec<Session> {
        let all = self.sessions.values().map(|(_, session)| session);
        let mut sessions: Vec<_> = all.filter(|s| s.user_id == user).cloned().collect();
        sessions.sort_by_key(|s| std::cmp::Reverse((s.created_at, s.id)));
        sessions
    }
}

/// Removes at most `limit` of the items that are `gone`. Returns how many.
pub(crate) fn purge<T>(items: &mut Vec<T>, limit: u32, gone: impl Fn(&T) -> bool) -> u64 {
    let (before, mut left) = (items.len(), limit);
    items.retain(|item| {
        let gone = left > 0 && gone(item);
        left -= u32::from(gone);
        !gone
    });
    (before - items.len()) as u64
}

#[async_trait]
impl Store for MemoryStore {
    fn users(&self) -> &dyn UserStore {
        self
    }

    fn sessions(&self) -> &dyn SessionStore {
        self
    }

    fn remembered(&self) -> &dyn RememberStore {
        self
    }

    fn throttle(&self) -> &dyn ThrottleStore {
        self
    }

    fn audit(&self) -> &dyn AuditStore {
        self
    }

    fn browsers(&self) -> Option<&dyn BrowserStore> {
        Some(self)
    }

    fn pending(&self) -> Option<&dyn PendingStore> {
        Some(self)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    crate::store_contract!(async || super::MemoryStore::default());
}
