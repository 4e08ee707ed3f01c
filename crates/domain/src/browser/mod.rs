pub(crate) mod store;

#[cfg(feature = "contract")]
pub(crate) mod contract;
#[cfg(feature = "memory")]
mod memory;

use std::cmp::Reverse;

use time::{Duration, OffsetDateTime};

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
    /// When it last showed its token; since when it is known, if it never did.
    pub used_at: OffsetDateTime,
    /// Whether it has come back: it showed its token [`KnownBrowser::PROVEN_AFTER`] after it was given.
    pub is_proven: bool,
    /// When it is forgotten.
    pub expires_at: OffsetDateTime,
}

impl KnownBrowser {
    /// How many browsers of a user are known that have come back; of more, the least recently used are
    /// forgotten.
    pub const MAX_PROVEN: usize = 20;
    /// How many browsers of a user are known that have not come back yet.
    pub const MAX_UNPROVEN: usize = 5;
    /// How long after its first login a browser that shows its token has come back. A private window is
    /// mostly closed by then, and a script shows no token at all.
    pub const PROVEN_AFTER: Duration = Duration::HOUR;

    /// Returns a browser that is known from `created_at` to `expires_at` and has not come back yet.
    pub fn new(
        user_id: UserId,
        token: TokenDigest,
        created_at: OffsetDateTime,
        expires_at: OffsetDateTime,
    ) -> Self {
        Self { user_id, token, created_at, used_at: created_at, is_proven: false, expires_at }
    }

    /// Returns the browser after it has shown its token at `at`.
    #[must_use]
    pub fn used(self, at: OffsetDateTime) -> Self {
        let is_proven = self.is_proven || at >= self.created_at.saturating_add(Self::PROVEN_AFTER);
        Self { used_at: self.used_at.max(at), is_proven, ..self }
    }

    /// Returns which of a user's browsers are too many when `newest` becomes known. Whatever never comes
    /// back takes the place of nothing that does: the others have a small share of their own, in which
    /// those that have shown their token go before those that never did, and of these the older ones stay.
    pub fn too_many(browsers: &[Self], newest: &TokenDigest) -> Vec<TokenDigest> {
        let (mut proven, mut others): (Vec<&Self>, Vec<&Self>) =
            browsers.iter().filter(|one| one.token != *newest).partition(|one| one.is_proven);
        proven.sort_by_key(|one| Reverse(one.used_at));
        others.sort_by_key(|one| match one.used_at > one.created_at {
            true => (0, Reverse(one.used_at), one.created_at),
            false => (1, Reverse(OffsetDateTime::UNIX_EPOCH), one.created_at),
        });
        let proven = proven.into_iter().skip(Self::MAX_PROVEN);
        // One place is that of the newest.
        let others = others.into_iter().skip(Self::MAX_UNPROVEN - 1);
        proven.chain(others).map(|one| one.token).collect()
    }

    /// Returns whether it is known at `now`: one that a wrong clock saw in the future is not.
    pub fn is_known(&self, now: OffsetDateTime) -> bool {
        !is_from_future(self.created_at, now) && now < self.expires_at
    }
}
