//! A store that lives in memory and is gone with the program.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::throttle::{CounterKey, Rule, Tally};
use crate::{
    AuditEnds, AuditRecord, AuditStore, Basis, BrowserStore, Keep, KnownBrowser, PendingLogin,
    PendingStore, Record, RememberStore, Remembered, RememberedId, Session, SessionId,
    SessionRenewal, SessionStore, SiteSecret, SiteStore, Store, StoreError, ThrottleStore,
    TokenDigest, User, UserId, UserStore,
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
    pub(crate) secret: Option<SiteSecret>,
    pub(crate) cleaned_at: Option<OffsetDateTime>,
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

    /// Ends all that belongs to a user, except what is kept. Returns how many sessions ended.
    pub(crate) fn end_all(&mut self, user: UserId, keep: Option<Keep<'_>>) -> u64 {
        let kept = keep.and_then(|keep| self.sessions.get(&keep.session)?.1.remembered);
        self.remembered.retain(|id, s| s.remembered.user_id != user || Some(*id) == kept);
        let browser = keep.and_then(|keep| keep.browser);
        self.browsers.retain(|known| known.user_id != user || Some(&known.token) == browser);
        self.pending.retain(|waiting| waiting.login.user_id != user);
        let kept = keep.map(|keep| keep.session);
        self.remove_sessions(|session| session.user_id == user && Some(session.id) != kept)
    }

    /// Returns whether a session stands and is this user's.
    pub(crate) fn stands(&self, user: UserId, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|(_, session)| session.user_id == user)
    }

    pub(crate) fn holds(&self, basis: Basis<'_>) -> bool {
        let user = self.users.get(&basis.user);
        user.is_some_and(|user| user.is_active && user.password_hash.as_ref() == basis.password)
            && self.stands(basis.user, basis.session)
    }

    /// Gives a session its new token.
    pub(crate) fn renew(&mut self, renewal: SessionRenewal<'_>) {
        let Some((token, session)) = self.sessions.get_mut(&renewal.basis.session) else { return };
        *token = *renewal.token;
        session.client = renewal.client.clone();
        session.authenticated_at = Some(renewal.authenticated_at);
        session.last_seen_at = session.last_seen_at.max(renewal.authenticated_at);
        session.methods = renewal.methods.clone();
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
        let mut others = self.sessions_newest_first(session.user_id);
        // The new one stays, also where a wrong clock has begun others in the future.
        others.retain(|other| other.id != session.id);
        for old in others.iter().skip(max.saturating_sub(1) as usize) {
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

    fn site(&self) -> Option<&dyn SiteStore> {
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
