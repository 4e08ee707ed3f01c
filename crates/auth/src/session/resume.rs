use countersign_domain::{
    AuthEventKind, Duration, Record, RememberOutcome, RememberRecords, RememberToken, RememberUse,
    Resumption, SecretToken, SessionId, StoreError, TokenDigest, User,
};

use super::authenticate::Authenticated;
use crate::config::Protection;
use crate::core::Acting;
use crate::login::admit::NewSession;
use crate::random::rng;
use crate::throttle::{NotCounted, Throttled, Try};

/// For how long after a secret was replaced a request that shows it was under way together with the one that
/// replaced it.
const GRACE: Duration = Duration::seconds(10);

/// What came of showing the token of a remembered login.
#[derive(Debug)]
#[non_exhaustive]
pub enum Resumed {
    /// A session has begun. It is not fresh: nobody has proved who they are.
    Session(Box<NewSession>),
    /// A request that was under way together with this one has begun a session, which holds for this one
    /// too. There is nothing new to show: the client gets it with the answer to that request.
    Joined(Authenticated),
    /// The token had been used before, so somebody else has it too. The remembered login and its session
    /// have ended; tell the user.
    Stolen,
    /// It begins sessions too often. The remembered login stands; the user can log in.
    Throttled(Throttled),
    /// It opens nothing.
    Unknown,
}

/// What a use of a remembered login writes down.
struct Records {
    resumed: Record,
    stolen: Record,
    moved: Record,
}

impl Acting<'_> {
    /// Begins a session for a user who asked to be remembered on this client, in place of the earlier one
    /// that it had there.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn resume(&self, token: &RememberToken) -> Result<Resumed, StoreError> {
        let (core, now) = (self.core, self.core.now());
        if !core.config.sessions.remember {
            return Ok(Resumed::Unknown);
        }
        let (next, session) =
            (SecretToken::generate(&mut rng()), SecretToken::generate(&mut rng()));
        let id = SessionId::generate(now, &mut rng());
        let used = RememberUse {
            series: &token.series.digest(),
            secret: &token.secret.digest(),
            next: &next.digest(),
            now,
            grace_since: now - GRACE,
            client: &self.caller.client,
            is_bound: core.protection() == Protection::Strong,
            begins: Resumption {
                id,
                token: &session.digest(),
                expires_at: now + core.config.sessions.lifetimes.absolute,
                max_per_user: core.config.sessions.max_per_user,
            },
        };
        let tried = match self.count_resumption(used).await? {
            Ok(tried) => tried,
            Err(done) => return Ok(done),
        };
        Ok(match self.use_remembered(used, id).await? {
            RememberOutcome::Rotated(_, user, begun) => {
                core.note_browser(self.caller.browser.as_ref(), user.id, now);
                let next = RememberToken { series: token.series.clone(), secret: next };
                Resumed::Session(Box::new(NewSession {
                    token: session,
                    remember_token: Some(next),
                    browser_token: None,
                    session: begun,
                    user,
                }))
            }
            RememberOutcome::Parallel(_, user, session) => {
                self.called_off(tried).await;
                Resumed::Joined(Authenticated::new(user, session, false))
            }
            RememberOutcome::Stolen(_) => Resumed::Stolen,
            RememberOutcome::Moved(_) | RememberOutcome::Unknown => Resumed::Unknown,
        })
    }

    /// Counts that a remembered login is about to begin a session. Otherwise returns what comes of its use:
    /// what changes nothing is not counted, so that a made-up token costs no write.
    async fn count_resumption(
        &self,
        used: RememberUse<'_>,
    ) -> Result<Result<Try, Resumed>, StoreError> {
        if let Some(done) = self.peek(used).await? {
            return Ok(Err(done));
        }
        match self.try_resumption(used.series).await {
            Ok(tried) => Ok(Ok(tried)),
            // Of many pages that a browser opens at once, one may have begun the session meanwhile.
            Err(NotCounted::Throttled(throttled)) => {
                Ok(Err(self.peek(used).await?.unwrap_or(Resumed::Throttled(throttled))))
            }
            Err(NotCounted::Store(error)) => Err(error),
        }
    }

    async fn peek(&self, used: RememberUse<'_>) -> Result<Option<Resumed>, StoreError> {
        let outcome = self.core.store.remembered().peek_remembered(used).await?;
        Ok(outcome.map(|outcome| match outcome {
            RememberOutcome::Parallel(_, user, session) => {
                Resumed::Joined(Authenticated::new(user, session, false))
            }
            _ => Resumed::Unknown,
        }))
    }

    /// Uses a remembered login, drops what the cache knows of its user, and tells the listeners.
    async fn use_remembered(
        &self,
        used: RememberUse<'_>,
        session: SessionId,
    ) -> Result<RememberOutcome, StoreError> {
        let core = self.core;
        let Records { resumed, stolen, moved } = &Records {
            resumed: self.record(AuthEventKind::UserRemembered, None, Some(session)),
            stolen: self.record(AuthEventKind::RememberedStolen, None, None),
            moved: self.record(AuthEventKind::SessionProtected, None, None),
        };
        let under_way = core.cache.change(None);
        let records = RememberRecords { resumed, stolen, moved };
        let outcome = core.store.remembered().use_remembered(used, records).await?;
        let told = match &outcome {
            // The earlier session has ended.
            RememberOutcome::Rotated(_, User { id, .. }, _) => Some((*id, resumed)),
            RememberOutcome::Stolen(remembered) => Some((remembered.user_id, stolen)),
            RememberOutcome::Moved(remembered) => Some((remembered.user_id, moved)),
            RememberOutcome::Parallel(..) | RememberOutcome::Unknown => None,
        };
        under_way.end(told.map(|(user, _)| user));
        if let Some((user, record)) = told {
            core.publish(&record.about(user).audit.event);
        }
        Ok(outcome)
    }

    /// Counts that a remembered login begins a session.
    async fn try_resumption(&self, series: &TokenDigest) -> Result<Try, NotCounted> {
        let Some(policy) = &self.core.config.throttle else { return Ok(Try::default()) };
        let counters = policy.resumption(series, self.caller.client.address);
        self.count(counters, "resumption_refused").await
    }

    /// Ends the remembered login with this token, so that its client is not remembered.
    ///
    /// # Errors
    ///
    /// When it may still stand.
    pub async fn forget(&self, token: &RememberToken) -> Result<(), StoreError> {
        let series = token.series.digest();
        let record = self.record(AuthEventKind::SessionsRevoked, None, None);
        let ended = self
            .change(None, &record, |store, record| store.remembered().end_series(&series, record));
        ended.await.map(drop)
    }
}
