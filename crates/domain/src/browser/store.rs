use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{KnownBrowser, StoreError, TokenDigest, UserId};

/// That a browser has shown its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrowserUse {
    /// What recognises the token.
    pub token: TokenDigest,
    /// Who is logged in there. A browser of somebody else is left alone.
    pub user: UserId,
    /// When it was shown.
    pub at: OffsetDateTime,
}

/// Keeps the browsers that users are known to use. They are forgotten with what ends a user's sessions:
/// a new password, a disable, a deletion, and
/// [`end_sessions_of`](crate::SessionStore::end_sessions_of).
#[async_trait]
pub trait BrowserStore: Send + Sync {
    /// Saves a browser of a user, and forgets those that are [too many](KnownBrowser::too_many).
    async fn save_browser(&self, browser: &KnownBrowser) -> Result<(), StoreError>;

    /// Notes that browsers have shown their tokens, as [`KnownBrowser::used`] does.
    async fn use_browsers(&self, used: &[BrowserUse]) -> Result<(), StoreError>;

    /// Finds the browser with this token.
    async fn browser_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<KnownBrowser>, StoreError>;

    /// Removes at most `limit` browsers that expired before `now`. Returns how many.
    async fn purge_browsers(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;
}
