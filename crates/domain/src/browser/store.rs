use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{KnownBrowser, StoreError, TokenDigest};

/// Keeps the browsers that users are known to use. They are forgotten with what ends a user's sessions:
/// a new password, a disable, a deletion, and
/// [`end_sessions_of`](crate::SessionStore::end_sessions_of).
#[async_trait]
pub trait BrowserStore: Send + Sync {
    /// Saves a browser of a user. Of more than `max_per_user` the oldest are forgotten.
    async fn save_browser(
        &self,
        browser: &KnownBrowser,
        max_per_user: u32,
    ) -> Result<(), StoreError>;

    /// Finds the browser with this token.
    async fn browser_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<KnownBrowser>, StoreError>;

    /// Removes at most `limit` browsers that expired before `now`. Returns how many.
    async fn purge_browsers(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;
}
