use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{PendingLogin, StoreError, TokenDigest};

/// Keeps logins that wait for a second factor.
#[async_trait]
pub trait PendingStore: Send + Sync {
    /// Saves a login that waits. Of more than [`PendingLogin::MAX_PER_USER`] the oldest of the others end.
    async fn save_pending(
        &self,
        login: &PendingLogin,
        token: &TokenDigest,
    ) -> Result<(), StoreError>;

    /// Finds the login with this token, if it [waits](PendingLogin::waits) at `now` and a try is left.
    async fn pending_by_token(
        &self,
        token: &TokenDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingLogin>, StoreError>;

    /// Counts a try to complete the login with this token. `None` when it does not wait at `now`, or when
    /// [`PendingLogin::MAX_TRIES`] were counted before. Of tries at the same time no more are let in.
    async fn try_pending(
        &self,
        token: &TokenDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingLogin>, StoreError>;

    /// Ends the login with this token. True for exactly one caller.
    async fn end_pending(&self, token: &TokenDigest) -> Result<bool, StoreError>;

    /// Removes at most `limit` logins that expired before `now`, or began in the
    /// [future](crate::is_from_future). Returns how many.
    async fn purge_pending(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;
}
