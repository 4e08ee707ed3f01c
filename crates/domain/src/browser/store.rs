use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{KnownBrowser, StoreError, TokenDigest, UserId};

/// Keeps the browsers that users are known to use.
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

    /// Forgets all browsers of a user except the one with the token `keep`. Returns how many.
    async fn forget_browsers(
        &self,
        user: UserId,
        keep: Option<&TokenDigest>,
    ) -> Result<u64, StoreError>;

    /// Removes at most `limit` browsers that expired before `now`. Returns how many.
    async fn purge_browsers(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;
}
