use async_trait::async_trait;
use time::OffsetDateTime;

use crate::throttle::{Count, Counter, CounterKey};
use crate::{StoreError, TokenDigest, UserId};

/// What became of a try that was to be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is let in. What it did to each of the counters.
    In(Vec<Count>),
    /// A counter does not let it in. Nothing was counted.
    Out {
        /// Which of the counters: of several, the one that is closed for the longest.
        counter: usize,
        /// When it lets the next try in.
        until: OffsetDateTime,
    },
}

/// That a user has logged in with a browser before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownBrowser {
    /// Whose browser it is.
    pub user_id: UserId,
    /// What its token is recognised by.
    pub token: TokenDigest,
    /// Since when.
    pub created_at: OffsetDateTime,
    /// When it is forgotten.
    pub expires_at: OffsetDateTime,
}

/// Keeps what slows guesses down, and which browsers it does not slow.
#[async_trait]
pub trait ThrottleStore: Send + Sync {
    /// Counts a try with all of the counters, if all of them let it in. Of any number of tries at
    /// once no more are let in than of the same tries one after the other.
    ///
    /// # Errors
    ///
    /// When nothing was counted.
    async fn count_try(
        &self,
        counters: &[Counter],
        now: OffsetDateTime,
    ) -> Result<Counted, StoreError>;

    /// Takes a try back from some of its counters, as [`Rule::undo`](crate::throttle::Rule::undo)
    /// does, and forgets all tries of others.
    ///
    /// # Errors
    ///
    /// When nothing has changed.
    async fn settle_try(
        &self,
        undo: &[(Counter, Count)],
        clear: &[CounterKey],
    ) -> Result<(), StoreError>;

    /// Removes at most `limit` counters that have nothing to remember at `now`, and says how many.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    async fn purge_counters(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;

    /// Saves that a user uses a browser; of more than `max_per_user` the oldest are forgotten.
    ///
    /// # Errors
    ///
    /// When nothing was saved.
    async fn know_browser(
        &self,
        browser: &KnownBrowser,
        max_per_user: u32,
    ) -> Result<(), StoreError>;

    /// The browser that shows this token.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn known_browser(&self, token: &TokenDigest) -> Result<Option<KnownBrowser>, StoreError>;

    /// Forgets all browsers of a user but the one with the token `keep`. Says how many.
    ///
    /// # Errors
    ///
    /// When they are still known.
    async fn forget_browsers(
        &self,
        user: UserId,
        keep: Option<&TokenDigest>,
    ) -> Result<u64, StoreError>;

    /// Removes at most `limit` browsers that have expired before `now`, and says how many.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    async fn purge_browsers(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;
}
