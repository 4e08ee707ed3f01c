use async_trait::async_trait;
use time::OffsetDateTime;

use crate::clock::is_from_future;
use crate::memory::{MemoryStore, Series, State};
use crate::{
    Record, RememberOutcome, RememberStore, RememberUse, Remembered, RememberedId, SessionId,
    StoreError, TokenDigest, UserId,
};

#[async_trait]
impl RememberStore for MemoryStore {
    async fn use_remembered(
        &self,
        used: RememberUse<'_>,
        theft: &Record,
    ) -> Result<RememberOutcome, StoreError> {
        let mut state = self.state();
        let State { users, remembered, .. } = &mut *state;
        let found = remembered.values_mut().find(|series| series.series == *used.series);
        let Some(series) = found.filter(|series| series.remembered.stands(used.now)) else {
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
        if series.previous == Some(*used.secret) && used.is_parallel_to(&stale) {
            return Ok(RememberOutcome::Parallel(stale, user));
        }
        state.end_remembered(|series| series.remembered.id == stale.id);
        state.record(&theft.about(stale.user_id));
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
