//! A store that lives in memory and is gone with the program.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::store::{Field, SessionGrant, SessionStore, Store, StoreError, UserStore};
use crate::{EmailAddress, PasswordHash, Session, SessionId, TokenDigest, User, UserId};

/// Keeps users and sessions in memory. A clone is the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    users: HashMap<UserId, User>,
    sessions: HashMap<SessionId, (TokenDigest, Session)>,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        // No method leaves the state half changed, so a panicked test's state is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end_sessions(&mut self, user: UserId, keep: Option<SessionId>) -> u64 {
        self.remove_sessions(|session| session.user_id == user && Some(session.id) != keep)
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
    async fn insert_user(&self, user: &User) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.users.values().any(|other| other.email == user.email) {
            return Err(StoreError::Taken(Field::Email));
        }
        state.users.insert(user.id, user.clone());
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
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(user) = state.users.get_mut(&id) else {
            return Ok(false);
        };
        user.password_hash = Some(hash.clone());
        user.updated_at = now;
        state.end_sessions(id, keep);
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
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(user) = state.users.get_mut(&id) else {
            return Ok(false);
        };
        user.is_active = active;
        user.updated_at = now;
        if !active {
            state.end_sessions(id, None);
        }
        Ok(true)
    }

    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError> {
        let mut state = self.state();
        state.end_sessions(id, None);
        Ok(state.users.remove(&id).is_some())
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
        if !stands {
            return Ok(false);
        }
        state.sessions.insert(session.id, (*grant.token, session.clone()));
        let too_many = state.newest_first(session.user_id);
        for old in too_many.iter().skip(grant.max_per_user as usize) {
            state.sessions.remove(&old.id);
        }
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

    async fn touch_session(&self, id: SessionId, now: OffsetDateTime) -> Result<(), StoreError> {
        if let Some((_, session)) = self.state().sessions.get_mut(&id) {
            session.last_seen_at = session.last_seen_at.max(now);
        }
        Ok(())
    }

    async fn end_session(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        Ok(self.state().remove_sessions(|s| s.id == id && s.user_id == user) > 0)
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        Ok(self.state().end_sessions(user, keep))
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
impl Store for MemoryStore {
    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    crate::store_contract!(async || super::MemoryStore::default());
}
