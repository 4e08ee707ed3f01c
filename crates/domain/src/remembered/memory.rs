use async_trait::async_trait;
use time::OffsetDateTime;

use crate::clock::is_from_future;
use crate::memory::{MemoryStore, Series, State};
use crate::{
    Record, RememberOutcome, RememberRecords, RememberStep, RememberStore, RememberUse, Remembered,
    RememberedId, Session, SessionId, StoreError, TokenDigest, User, UserId,
};

/// A remembered login that is there, of a user who may log in, and what is done about its use.
struct Found {
    step: RememberStep,
    remembered: Remembered,
    user: User,
    session: Option<Session>,
}

impl State {
    fn found(&self, used: RememberUse<'_>) -> Option<Found> {
        let series = self.remembered.values().find(|series| series.series == *used.series)?;
        let remembered = series.remembered.clone();
        let user = self.users.get(&remembered.user_id).filter(|user| user.is_active)?.clone();
        let sessions = self.sessions.values().map(|(_, session)| session);
        let mut of_login = sessions.filter(|session| session.remembered == Some(remembered.id));
        let session = of_login.next().cloned();
        let previous = series.previous.as_ref();
        let step = used.step(&remembered, &series.secret, previous, session.is_some());
        Some(Found { step, remembered, user, session })
    }
}

#[async_trait]
impl RememberStore for MemoryStore {
    async fn peek_remembered(
        &self,
        used: RememberUse<'_>,
    ) -> Result<Option<RememberOutcome>, StoreError> {
        Ok(match self.state().found(used) {
            None | Some(Found { step: RememberStep::Expired, .. }) => {
                Some(RememberOutcome::Unknown)
            }
            Some(Found { step: RememberStep::Join, remembered, user, session: Some(session) }) => {
                Some(RememberOutcome::Parallel(remembered, user, session))
            }
            Some(_) => None,
        })
    }

    async fn use_remembered(
        &self,
        used: RememberUse<'_>,
        records: RememberRecords<'_>,
    ) -> Result<RememberOutcome, StoreError> {
        let mut state = self.state();
        let Some(Found { step, mut remembered, user, session }) = state.found(used) else {
            return Ok(RememberOutcome::Unknown);
        };
        Ok(match (step, session) {
            (RememberStep::Expired, _) => RememberOutcome::Unknown,
            (RememberStep::Join, Some(session)) => {
                RememberOutcome::Parallel(remembered, user, session)
            }
            (RememberStep::Join | RememberStep::Rotate, _) => {
                remembered.used_at = used.now;
                if let Some(series) = state.remembered.get_mut(&remembered.id) {
                    series.previous = Some(*used.secret);
                    series.secret = *used.next;
                    series.remembered.used_at = used.now;
                }
                let session = used.session(&remembered);
                state.begin(&session, used.begins.token, used.begins.max_per_user);
                state.record(&records.resumed.about(user.id));
                RememberOutcome::Rotated(remembered, user, session)
            }
            (RememberStep::Theft, _) => {
                state.end_remembered(|series| series.remembered.id == remembered.id);
                state.record(&records.stolen.about(user.id));
                RememberOutcome::Stolen(remembered)
            }
            (RememberStep::Move, _) => {
                state.end_remembered(|series| series.remembered.id == remembered.id);
                state.record(&records.moved.about(user.id));
                RememberOutcome::Moved(remembered)
            }
        })
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
        by: Option<SessionId>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let is_it = |s: &Series| s.remembered.id == id && s.remembered.user_id == user;
        let mut state = self.state();
        let may = by.is_none_or(|by| state.stands(user, by));
        let ended = may && state.end_remembered(is_it) > 0;
        if ended {
            state.record(record);
        }
        Ok(ended)
    }

    async fn end_series(
        &self,
        series: &TokenDigest,
        record: &Record,
    ) -> Result<Option<UserId>, StoreError> {
        let mut state = self.state();
        let found = state.remembered.values().find(|s| s.series == *series);
        let Some(user) = found.map(|s| s.remembered.user_id) else { return Ok(None) };
        state.end_remembered(|s| s.series == *series);
        state.record(&record.about(user));
        Ok(Some(user))
    }

    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let mut left = limit;
        Ok(self.state().end_remembered(|s| {
            let is_over = s.remembered.expires_at < now;
            let gone = left > 0 && (is_over || is_from_future(s.remembered.created_at, now));
            left -= u32::from(gone);
            gone
        }))
    }
}
