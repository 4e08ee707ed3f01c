//! The browsers that users are known to use. Each has counters of its own, so that strangers' guesses do
//! not slow its owner down.

use countersign_domain::{
    BrowserUse, Duration, KnownBrowser, OffsetDateTime, SecretToken, StoreError, TokenDigest, User,
    UserId,
};

use crate::core::{Acting, Core};
use crate::random::rng;

/// How long a browser is known. Browsers keep no cookie for longer than 400 days (RFC 6265bis, section 5.5).
pub const BROWSER_KNOWN_FOR: Duration = Duration::days(365);

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
                self.core.note_browser(Some(token), user.id, now);
                return Ok(None);
            }
        }
        // Never the token that was shown: somebody else may have put it there.
        let token = SecretToken::generate(&mut rng());
        let browser = KnownBrowser::new(user.id, token.digest(), now, now + BROWSER_KNOWN_FOR);
        browsers.save_browser(&browser).await?;
        Ok(Some(token))
    }
}

impl Core {
    /// Notes that a browser has shown its token while `user` is logged in there. It is written behind, so
    /// that a browser in use costs the store one write an hour.
    pub(crate) fn note_browser(
        &self,
        browser: Option<&SecretToken>,
        user: UserId,
        now: OffsetDateTime,
    ) {
        if let (Some(token), Some(_), Some(_)) =
            (browser, self.config.throttle, self.store.browsers())
        {
            self.seen.note_browser(BrowserUse { token: token.digest(), user, at: now });
        }
    }
}
