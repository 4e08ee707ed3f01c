//! A store that lives in memory and is gone with the program.

mod audit;
mod throttle;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::store::{
    Field, RememberOutcome, RememberStore, RememberUse, SessionGrant, SessionRenewal, SessionStore,
    Store, StoreError, UserStore,
};
use crate::{
    AuditEntry, EmailAddress, PasswordHash, Remembered, RememberedId, Session, SessionId,
    TokenDigest, User, UserId,
};

use audit::Trail;
use throttle::Throttle;

/// Keeps users and sessions in memory. A clone is the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    users: HashMap<UserId, User>,
    sessions: HashMap<SessionId, (TokenDigest, Session)>,
    remembered: HashMap<RememberedId, Series>,
    throttle: Throttle,
    trail: Trail,
}

#[derive(Debug)]
struct Series {
    remembered: Remembered,
    series: TokenDigest,
    secret: TokenDigest,
    previous: Option<TokenDigest>,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        // No method leaves the state half changed, so a panicked test's state is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Also ends remembered logins, except the one that `keep` belongs to.
    fn end_sessions(&mut self, user: UserId, keep: Option<SessionId>) -> u64 {
        let kept = keep.and_then(|id| self.sessions.get(&id)?.1.remembered);
        self.remembered.retain(|id, s| s.remembered.user_id != user || Some(*id) == kept);
        self.remove_sessions(|session| session.user_id == user && Some(session.id) != keep)
    }

    fn end_remembered(&mut self, mut gone: impl FnMut(&Series) -> bool) -> u64 {
        let before = self.remembered.len();
        self.remembered.retain(|_, series| !gone(series));
        let left: HashSet<RememberedId> = self.remembered.keys().copied().collect();
        self.remove_sessions(|session| session.remembered.is_some_and(|id| !left.contains(&id)));
        (before - self.remembered.len()) as u64
    }

    fn remove_sessions(&mut self, mut gone: impl FnMut(&Session) -> bool) -> u64 {
        let before = self.sessions.len();
        self.sessions.retain(|_, (_, session)| !gone(session));
        (before - self.sessions.len()) as u64
    }

    fn newest_first(&self, user: UserId) -> Vec<Session> {
        let all = self.sessions.values().map(|(_, session)| session);
        let mut sessions: Vec<_> = all.filter(|s| s.user_id == user).cloned().collect();
        sessions.sort_by_key(|s| std::cmp::Reverse((s.created_at, s.id)));
        sessions
    }
}

#[async_trait]
impl UserStore for MemoryStore {
    async fn insert_user(&self, user: &User, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.users.values().any(|other| other.email == user.email) {
            return Err(StoreError::Taken(Field::Email));
        }
        state.users.insert(user.id, user.clone());
        state.trail.append(entry);
        Ok(())
    }

    async fn user_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().users.get(&id).cloned())
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        Ok(self.state().users.values().find(|user| user.email == *email).cloned())
    }

    async fn users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let mut users: Vec<_> = self.state().users.values().cloned().collect();
        users.sort_by_key(|user| user.id);
        users.retain(|user| after.is_none_or(|after| user.id > after));
        users.truncate(limit as usize);
        Ok(users)
    }

    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        keep: Option<SessionId>,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(user) = state.users.get_mut(&id) else {
            return Ok(false);
        };
        user.password_hash = Some(hash.clone());
        user.updated_at = entry.event.at;
        let kept = keep.and_then(|kept| state.sessions.get_mut(&kept));
        if let Some((_, kept)) = kept.filter(|(_, kept)| kept.user_id == id) {
            kept.remembered = None;
        }
        state.end_sessions(id, keep);
        state.trail.append(entry);
        Ok(true)
    }

    async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let user = state.users.get_mut(&id).filter(|u| u.password_hash.as_ref() == Some(from));
        Ok(user.map(|user| user.password_hash = Some(to.clone())).is_some())
    }

    async fn set_active(
        &self,
        id: UserId,
        active: bool,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(user) = state.users.get_mut(&id) else {
            return Ok(false);
        };
        user.is_active = active;
        user.updated_at = entry.event.at;
        if !active {
            state.end_sessions(id, None);
        }
        state.trail.append(entry);
        Ok(true)
    }

    async fn delete_user(&self, id: UserId, entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut state = self.state();
        state.end_sessions(id, None);
        let was_there = state.users.remove(&id).is_some();
        if was_there {
            state.trail.append(entry);
        }
        Ok(was_there)
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn insert_session(&self, grant: SessionGrant<'_>) -> Result<bool, StoreError> {
        let mut state = self.state();
        let session = grant.session;
        let stands = state.users.get(&session.user_id).is_some_and(|user| {
            let proven = grant.proof.is_none_or(|hash| user.password_hash.as_ref() == Some(hash));
            user.is_active && proven
        });
        let login_stands = grant.remember.is_some()
            || session.remembered.is_none_or(|id| {
                let login = state.remembered.get(&id);
                login.is_some_and(|login| login.remembered.user_id == session.user_id)
            });
        if !stands || !login_stands {
            return Ok(false);
        }
        state.sessions.insert(session.id, (*grant.token, session.clone()));
        if let Some(grant) = grant.remember {
            let (remembered, series, secret) =
                (grant.remembered.clone(), *grant.series, *grant.secret);
            let series = Series { remembered, series, secret, previous: None };
            state.remembered.insert(grant.remembered.id, series);
        }
        let too_many = state.newest_first(session.user_id);
        for old in too_many.iter().skip(grant.max_per_user as usize) {
            state.sessions.remove(&old.id);
        }
        state.trail.append(grant.entry);
        Ok(true)
    }

    async fn session_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<(Session, User)>, StoreError> {
        let state = self.state();
        let found = state.sessions.values().find(|(digest, _)| digest == token);
        Ok(found.and_then(|(_, session)| {
            Some((session.clone(), state.users.get(&session.user_id)?.clone()))
        }))
    }

    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        Ok(self.state().newest_first(user))
    }

    async fn touch_sessions(&self, seen: &[(SessionId, OffsetDateTime)]) -> Result<(), StoreError> {
        let mut state = self.state();
        for (id, at) in seen {
            if let Some((_, session)) = state.sessions.get_mut(id) {
                session.last_seen_at = session.last_seen_at.max(*at);
            }
        }
        Ok(())
    }

    async fn renew_session(&self, renewal: SessionRenewal<'_>) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some((token, session)) = state.sessions.get_mut(&renewal.id) else { return Ok(false) };
        *token = *renewal.token;
        session.client = renewal.client.clone();
        session.authenticated_at = Some(renewal.authenticated_at);
        session.last_seen_at = session.last_seen_at.max(renewal.authenticated_at);
        renewal.entry.into_iter().for_each(|entry| state.trail.append(entry));
        Ok(true)
    }

    async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let found = state.sessions.get(&id).map(|(_, session)| session.clone());
        let Some(session) = found.filter(|session| session.user_id == user) else {
            return Ok(false);
        };
        state.end_remembered(|series| Some(series.remembered.id) == session.remembered);
        state.sessions.remove(&id);
        state.trail.append(entry);
        Ok(true)
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let mut state = self.state();
        let before = state.remembered.len();
        let ended = state.end_sessions(user, keep);
        if ended > 0 || state.remembered.len() < before {
            state.trail.append(entry);
        }
        Ok(ended)
    }

    async fn purge_sessions(
        &self,
        now: OffsetDateTime,
        idle_since: OffsetDateTime,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let mut left = limit;
        Ok(self.state().remove_sessions(|s| {
            let gone = left > 0 && (s.expires_at < now || s.last_seen_at < idle_since);
            left -= u32::from(gone);
            gone
        }))
    }
}

#[async_trait]
impl RememberStore for MemoryStore {
    async fn use_remembered(&self, used: RememberUse<'_>) -> Result<RememberOutcome, StoreError> {
        let mut state = self.state();
        let State { users, remembered, .. } = &mut *state;
        let found = remembered.values_mut().find(|series| series.series == *used.series);
        let Some(series) = found.filter(|series| used.now < series.remembered.expires_at) else {
            return Ok(RememberOutcome::Unknown);
        };
        let user = users.get(&series.remembered.user_id).filter(|user| user.is_active).cloned();
        let Some(user) = user else { return Ok(RememberOutcome::Unknown) };
        if series.secret == *used.secret {
            series.previous = Some(std::mem::replace(&mut series.secret, *used.next));
            series.remembered.used_at = used.now;
            return Ok(RememberOutcome::Rotated(series.remembered.clone(), user));
        }
        let stale = series.remembered.clone();
        if series.previous == Some(*used.secret) && stale.used_at >= used.grace_since {
            return Ok(RememberOutcome::Parallel(stale, user));
        }
        state.end_remembered(|series| series.remembered.id == stale.id);
        state.trail.append(&used.stolen.about(stale.user_id));
        Ok(RememberOutcome::Stolen(stale))
    }

    async fn remembered_of(&self, user: UserId) -> Result<Vec<Remembered>, StoreError> {
        let state = self.state();
        let all = state.remembered.values().map(|series| &series.remembered);
        let mut all: Vec<_> = all.filter(|r| r.user_id == user).cloned().collect();
        all.sort_by_key(|r| std::cmp::Reverse((r.created_at, r.id)));
        Ok(all)
    }

    async fn end_remembered(
        &self,
        user: UserId,
        id: RememberedId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let is_it = |s: &Series| s.remembered.id == id && s.remembered.user_id == user;
        let mut state = self.state();
        let ended = state.end_remembered(is_it) > 0;
        if ended {
            state.trail.append(entry);
        }
        Ok(ended)
    }

    async fn end_series(
        &self,
        series: &TokenDigest,
        entry: &AuditEntry,
    ) -> Result<Option<UserId>, StoreError> {
        let mut state = self.state();
        let found = state.remembered.values().find(|s| s.series == *series);
        let Some(user) = found.map(|s| s.remembered.user_id) else { return Ok(None) };
        state.end_remembered(|s| s.series == *series);
        state.trail.append(&entry.about(user));
        Ok(Some(user))
    }

    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let mut left = limit;
        Ok(self.state().end_remembered(|s| {
            let gone = left > 0 && s.remembered.expires_at < now;
            left -= u32::from(gone);
            gone
        }))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    crate::store_contract!(async || super::MemoryStore::default());
}
