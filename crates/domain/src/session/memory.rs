use async_trait::async_trait;
use time::OffsetDateTime;

use crate::clock::is_from_future;
use crate::memory::{MemoryStore, Series};
use crate::{
    Ended, Keep, Proof, Record, Session, SessionGrant, SessionId, SessionRenewal, SessionStore,
    StoreError, TokenDigest, User, UserId,
};

#[async_trait]
impl SessionStore for MemoryStore {
    async fn insert_session(
        &self,
        grant: SessionGrant<'_>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let session = grant.session;
        let stands = state.users.get(&session.user_id).is_some_and(|user| {
            let checked = grant.proof.and_then(Proof::password_hash);
            user.is_active && checked.is_none_or(|hash| user.password_hash.as_ref() == Some(hash))
        });
        let login_stands = grant.remember.is_some()
            || session.remembered.is_none_or(|id| {
                let login = state.remembered.get(&id);
                login.is_some_and(|login| login.remembered.user_id == session.user_id)
            });
        if !stands || !login_stands {
            return Ok(false);
        }
        if let Some(remember) = grant.remember {
            let (remembered, series, secret) =
                (remember.remembered.clone(), *remember.series, *remember.secret);
            let series = Series { remembered, series, secret, previous: None };
            state.remembered.insert(remember.remembered.id, series);
            state.forget_beyond(session.user_id, grant.max_per_user);
        }
        state.begin(session, grant.token, grant.max_per_user);
        state.record(record);
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
        Ok(self.state().sessions_newest_first(user))
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

    async fn renew_session(
        &self,
        renewal: SessionRenewal<'_>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if !state.holds(renewal.basis) {
            return Ok(false);
        }
        state.renew(renewal);
        state.record(record);
        Ok(true)
    }

    async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        by: Option<SessionId>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if by.is_some_and(|by| !state.stands(user, by)) {
            return Ok(false);
        }
        let found = state.sessions.get(&id).map(|(_, session)| session.clone());
        let Some(session) = found.filter(|session| session.user_id == user) else {
            return Ok(false);
        };
        state.end_remembered(|series| Some(series.remembered.id) == session.remembered);
        state.sessions.remove(&id);
        state.record(record);
        Ok(true)
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<Keep<'_>>,
        record: &Record,
    ) -> Result<Ended, StoreError> {
        let mut state = self.state();
        if keep.is_some_and(|keep| !state.stands(user, keep.session)) {
            return Ok(Ended::default());
        }
        let before = state.remembered.len();
        let sessions = state.end_all(user, keep);
        let ended = Ended { sessions, remembered: (before - state.remembered.len()) as u64 };
        if ended != Ended::default() {
            state.record(record);
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
            let is_over = s.expires_at < now || s.last_seen_at < idle_since;
            let gone = left > 0 && (is_over || is_from_future(s.created_at, now));
            left -= u32::from(gone);
            gone
        }))
    }
}
