//! What slows guesses down.

use countersign_domain::store::{Counted, KnownBrowser};
use countersign_domain::throttle::{Claimant, Count, Counter, CounterKey, OnSuccess};
use countersign_domain::{
    AuthEventKind, Duration, EmailAddress, OffsetDateTime, Reason, SecretToken, SessionId,
    StoreError, TokenDigest, User, UserId,
};

use crate::{Auth, Caller};

/// How long a browser is known. Browsers keep no cookie for longer than 400 days (RFC 6265bis,
/// section 5.5).
pub(crate) const BROWSER_IS_KNOWN_FOR: Duration = Duration::days(365);

/// How many browsers of a user are known at once.
const MAX_BROWSERS: u32 = 20;

/// Too many tries have failed. A later one may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many tries; the next one is let in after {retry_after:?}")]
pub struct Throttled {
    /// When to try again; at least a second.
    pub retry_after: std::time::Duration,
}

/// Why a try was not counted, and so not made.
pub(crate) enum NotCounted {
    Throttled(Throttled),
    Store(StoreError),
}

/// A try that is counted, and what is to become of that when its outcome is known.
#[must_use = "a try succeeds, fails or is called off"]
pub(crate) struct Try(Vec<(Counter, Count)>);

/// Who tried, for the trail.
#[derive(Clone, Copy)]
pub(crate) struct Tried<'a> {
    pub(crate) user: Option<UserId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) caller: &'a Caller,
}

impl Auth {
    /// Counts a try to prove that one is `user`, or, if there is none, who is called `email`.
    pub(crate) async fn try_login(
        &self,
        user: Option<&User>,
        email: &EmailAddress,
        caller: &Caller,
    ) -> Result<Try, NotCounted> {
        let Some(policy) = &self.config.throttle else { return Ok(Try(Vec::new())) };
        let browser = self.known_browser(user, caller).await.map_err(NotCounted::Store)?;
        let claimant = user.map_or(Claimant::Nobody(email), |user| Claimant::User(user.id));
        let counters = policy.login(claimant, caller.client.address, browser.as_ref());
        self.count(counters, "user_login_refused", caller).await
    }

    /// Counts a try to register.
    pub(crate) async fn try_registration(&self, caller: &Caller) -> Result<(), NotCounted> {
        let Some(policy) = &self.config.throttle else { return Ok(()) };
        let counters = policy.registration(caller.client.address);
        self.count(counters, "registration_refused", caller).await.map(drop)
    }

    /// `kind` is what the log says if the try is not let in.
    async fn count(
        &self,
        counters: Vec<Counter>,
        kind: &str,
        caller: &Caller,
    ) -> Result<Try, NotCounted> {
        let now = self.clock.now();
        match self.store.count_try(&counters, now).await.map_err(NotCounted::Store)? {
            Counted::In(counts) => Ok(Try(counters.into_iter().zip(counts).collect())),
            Counted::Out { counter, until } => {
                let reason = counters.get(counter).map(|counter| counter.reason);
                log_refusal(kind, reason, caller);
                self.metrics.throttled(reason);
                // Rounded up: whoever comes when they are told to is let in.
                let wait = (until - now).max(Duration::SECOND) + Duration::nanoseconds(999_999_999);
                let retry_after =
                    std::time::Duration::from_secs(wait.whole_seconds().unsigned_abs());
                Err(NotCounted::Throttled(Throttled { retry_after }))
            }
        }
    }

    /// The try failed, which is written down.
    pub(crate) async fn failed(
        &self,
        tried: Try,
        why: Reason,
        who: Tried<'_>,
    ) -> Result<(), StoreError> {
        let Tried { user, session, caller } = who;
        let entry = |kind, reason, user| {
            let mut entry = self.entry(kind, user, session, caller);
            entry.event.reason = Some(reason);
            entry
        };
        let mut entries = vec![entry(AuthEventKind::UserLoginFailed, why, user)];
        let closed = tried.0.iter().filter(|(counter, count)| {
            counter.on_success != OnSuccess::Keep && counter.rule.was_closed_by(count.after)
        });
        entries.extend(closed.map(|(counter, _)| {
            let user = user.filter(|_| counter.on_success == OnSuccess::Clear);
            entry(AuthEventKind::UserThrottled, counter.reason, user)
        }));
        self.record(&entries).await
    }

    /// The try was no failure. Its person's own counters begin anew, and nobody else's.
    pub(crate) async fn succeeded(&self, tried: Try) {
        let undo = tried.counted(|on_success| on_success == OnSuccess::TakeBack);
        let clear = tried.counted(|on_success| on_success == OnSuccess::Clear);
        let clear: Vec<_> = clear.iter().map(|(counter, _)| counter.key).collect();
        self.settle_try(&undo, &clear).await;
    }

    /// The try was not made after all: it found no place before the hashing workers.
    pub(crate) async fn called_off(&self, tried: Try) {
        self.settle_try(&tried.0, &[]).await;
    }

    async fn settle_try(&self, undo: &[(Counter, Count)], clear: &[CounterKey]) {
        if undo.is_empty() && clear.is_empty() {
            return;
        }
        // What stays counted slows somebody down for a while; that must not undo what they did.
        if let Err(error) = self.store.settle_try(undo, clear).await {
            tracing::warn!(%error, "a try stays counted");
        }
    }

    /// Forgets the failures on the account of a user, wherever they came from, since an
    /// administrator has seen to it. What was counted for single addresses is forgotten by itself in minutes.
    pub(crate) async fn forget_failures(&self, user: UserId) {
        let Some(policy) = &self.config.throttle else { return };
        let counters = policy.login(Claimant::User(user), None, None);
        let own = counters.iter().filter(|counter| counter.on_success == OnSuccess::Clear);
        let own: Vec<_> = own.map(|counter| counter.key).collect();
        self.settle_try(&[], &own).await;
    }

    /// Has the browsers of a user be known no longer, but the one with the token `keep`. A browser
    /// that stays known opens nothing: it is slowed down apart from others.
    pub(crate) async fn forget_browsers(&self, user: UserId, keep: Option<&TokenDigest>) {
        if let Err(error) = self.store.forget_browsers(user, keep).await {
            tracing::warn!(%error, %user, "the browsers of a user stay known");
        }
    }

    /// What the browser of `caller` is recognised by, if `user` has logged in with it before. As
    /// much is asked of the store for a user whom there is not.
    async fn known_browser(
        &self,
        user: Option<&User>,
        caller: &Caller,
    ) -> Result<Option<TokenDigest>, StoreError> {
        let Some(token) = &caller.browser else { return Ok(None) };
        let (token, now) = (token.digest(), self.clock.now());
        let known = self.store.known_browser(&token).await?;
        let theirs = |known: &KnownBrowser| {
            user.is_some_and(|user| user.id == known.user_id) && now < known.expires_at
        };
        Ok(known.filter(theirs).map(|known| known.token))
    }

    /// Remembers that `user` has logged in with the browser of `caller`: the token that it is to
    /// show from now on, if that is another. The login goes on if that fails.
    pub(crate) async fn know_browser(&self, user: &User, caller: &Caller) -> Option<SecretToken> {
        self.config.throttle?;
        match self.save_browser(user, caller, self.clock.now()).await {
            Ok(token) => token,
            Err(error) => {
                tracing::warn!(%error, user = %user.id, "a browser stays unknown");
                None
            }
        }
    }

    async fn save_browser(
        &self,
        user: &User,
        caller: &Caller,
        now: OffsetDateTime,
    ) -> Result<Option<SecretToken>, StoreError> {
        if let Some(token) = &caller.browser {
            let known = self.store.known_browser(&token.digest()).await?;
            let half = now + BROWSER_IS_KNOWN_FOR / 2;
            if known.is_some_and(|b| b.user_id == user.id && half < b.expires_at) {
                return Ok(None);
            }
        }
        // Never the one that was shown: somebody else may have put it there.
        let token = SecretToken::generate(&mut Self::rng());
        let browser = KnownBrowser {
            user_id: user.id,
            token: token.digest(),
            created_at: now,
            expires_at: now + BROWSER_IS_KNOWN_FOR,
        };
        self.store.know_browser(&browser, MAX_BROWSERS).await?;
        Ok(Some(token))
    }
}

impl Try {
    fn counted(&self, which: impl Fn(OnSuccess) -> bool) -> Vec<(Counter, Count)> {
        self.0.iter().filter(|(counter, _)| which(counter.on_success)).copied().collect()
    }
}

/// Every refused try is a line in the log, where `config/fail2ban` looks for it. The trail says once
/// that a door was closed: whoever goes on knocking must not fill a table.
fn log_refusal(kind: &str, reason: Option<Reason>, caller: &Caller) {
    let address = caller.client.address.map(|address| address.to_string());
    let reason = reason.map(Reason::as_str);
    let request_id = caller.request_id.as_deref();
    tracing::warn!(kind, address, reason, request_id, "authentication");
}
