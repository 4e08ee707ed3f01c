pub(crate) mod store;

#[cfg(feature = "contract")]
pub(crate) mod contract;
#[cfg(feature = "memory")]
mod memory;

use time::OffsetDateTime;

use crate::clock::is_from_future;
use crate::{TokenDigest, UserId};

/// A browser in which a user has logged in before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownBrowser {
    /// Whose browser it is.
    pub user_id: UserId,
    /// What recognises its token.
    pub token: TokenDigest,
    /// Since when it is known.
    pub created_at: OffsetDateTime,
    /// When it is forgotten.
    pub expires_at: OffsetDateTime,
}

impl KnownBrowser {
    /// Returns a browser that is known from `created_at` to `expires_at`.
    pub fn new(
        user_id: UserId,
        token: TokenDigest,
        created_at: OffsetDateTime,
        expires_at: OffsetDateTime,
    ) -> Self {
        Self { user_id, token, created_at, expires_at }
    }

    /// Returns whether it is known at `now`: one that a wrong clock saw in the future is not.
    pub fn is_known(&self, now: OffsetDateTime) -> bool {
        !is_from_future(self.created_at, now) && now < self.expires_at
    }
}
