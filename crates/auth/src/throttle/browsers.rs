//! The browsers that users are known to use. Each has counters of its own, so that strangers' guesses do
//! not slow its owner down.

use countersign_domain::{Duration, KnownBrowser, SecretToken, StoreError, TokenDigest, User};

use crate::core::Acting;
use crate::random::rng;

/// How long a browser is known. Browsers keep no cookie for longer than 400 days (RFC 6265bis, section 5.5).
pub const BROWSER_KNOWN_FOR: Duration = Duration::days(365);

/// The number of browsers of a user that are known at once.
const MAX_BROWSERS: u32 = 20;

impl Acting<'_> {
    /// Finds what recognises the caller's browser, if `user` has logged in with it before. Asks the store
    /// as much for a user who does not exist.
    pub(crate) async fn known_browser(
        &self,
        user: Option<&User>,
    ) -> Result<Option<TokenDigest>, StoreError> {
        let (Some(token), Some(browsers)) = (&self.caller.browser, self.core.store.browsers())
        else {
            return Ok(None);
        };
        let (token, now) = (token.digest(), self.core.now());
        let known = browsers.browser_by_token(&token).await?;
        let is_theirs = |known: &KnownBrowser| {
            user.is_some_and(|user| user.id == known.user_id) && known.is_known(now)
        };
        Ok(known.filter(is_theirs).map(|known| known.token))
    }

    /// Remembers that `user` has logged in with the caller's browser. Returns the token that it shows from
    /// now on, if that is another one. The login goes on if this fails.
    pub(crate) async fn save_browser(&self, user: &User) -> Option<SecretToken> {
        // Where nothing is slowed down, no browser needs counters of its own.
        self.core.config.throttle?;
        match self.save_new_browser(user).await {
            Ok(token) => token,
            Err(error) => {
                tracing::warn!(%error, user = %user.id, "a browser stays unknown");
                None
            }
        }
    }

    async fn save_new_browser(&self, user: &User) -> Result<Option<SecretToken>, StoreError> {
        let Some(browsers) = self.core.store.browsers() else { return Ok(None) };
        let now = self.core.now();
        if let Some(token) = &self.caller.browser {
            let known = browsers.browser_by_token(&token.digest()).await?;
            let half = now + BROWSER_KNOWN_FOR / 2;
            let is_theirs = |b: &KnownBrowser| b.user_id == user.id && b.is_known(now);
            if known.is_some_and(|b| is_theirs(&b) && half < b.expires_at) {
                return Ok(None);
            }
        }
        // Never the token that was shown: somebody else may have put it there.
        let token = SecretToken::generate(&mut rng());
        let browser = KnownBrowser::new(user.id, token.digest(), now, now + BROWSER_KNOWN_FOR);
        browsers.save_browser(&browser, MAX_BROWSERS).await?;
        Ok(Some(token))
    }
}
