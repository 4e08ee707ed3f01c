use async_trait::async_trait;
use time::OffsetDateTime;

use crate::clock::is_from_future;
use crate::memory::{MemoryStore, Waiting, purge};
use crate::{PendingLogin, PendingStore, StoreError, TokenDigest};

impl Waiting {
    fn is_open(&self, now: OffsetDateTime) -> bool {
        self.login.waits(now) && self.tries < PendingLogin::MAX_TRIES
    }
}

#[async_trait]
impl PendingStore for MemoryStore {
    async fn save_pending(
        &self,
        login: &PendingLogin,
        token: &TokenDigest,
    ) -> Result<(), StoreError> {
        let pending = &mut self.state().pending;
        pending.push(Waiting { token: *token, login: login.clone(), tries: 0 });
        let theirs = pending.iter().filter(|one| one.login.user_id == login.user_id).count();
        let beyond = u32::try_from(theirs).unwrap_or(u32::MAX);
        // In the order in which they came, whatever their clocks said.
        let beyond = beyond.saturating_sub(PendingLogin::MAX_PER_USER);
        purge(pending, beyond, |one| one.login.user_id == login.user_id);
        Ok(())
    }

    async fn pending_by_token(
        &self,
        token: &TokenDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingLogin>, StoreError> {
        let state = self.state();
        let found = state.pending.iter().find(|one| one.token == *token);
        let open = found.filter(|one| one.is_open(now));
        Ok(open.map(|one| one.login.clone()))
    }

    async fn try_pending(
        &self,
        token: &TokenDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingLogin>, StoreError> {
        let mut state = self.state();
        let found = state.pending.iter_mut().find(|one| one.token == *token);
        let open = found.filter(|one| one.is_open(now));
        Ok(open.map(|one| {
            one.tries += 1;
            one.login.clone()
        }))
    }

    async fn end_pending(&self, token: &TokenDigest) -> Result<bool, StoreError> {
        Ok(purge(&mut self.state().pending, 1, |one| one.token == *token) > 0)
    }

    async fn purge_pending(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        Ok(purge(&mut self.state().pending, limit, |one| {
            one.login.expires_at < now || is_from_future(one.login.created_at, now)
        }))
    }
}
