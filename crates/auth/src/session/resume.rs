use countersign_domain::{
    AuthEventKind, Duration, RememberOutcome, RememberToken, RememberUse, Remembered, SecretToken,
    StoreError, User,
};

use crate::core::Acting;
use crate::login::admit::{Begin, NewSession};
use crate::random::rng;

/// How long after it was replaced a secret is still good, for requests that were under way together.
const GRACE: Duration = Duration::seconds(10);

/// What came of showing the token of a remembered login.
#[derive(Debug)]
#[non_exhaustive]
pub enum Resumed {
    /// A session has begun. It is not fresh: nobody has proved who they are.
    Session(Box<NewSession>),
    /// The token had been used before, so somebody else has it too. The remembered login and its sessions
    /// have ended; tell the user.
    Stolen,
    /// It opens nothing.
    Unknown,
}

impl Acting<'_> {
    /// Begins a session for a user who asked to be remembered on this client.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn resume(&self, token: &RememberToken) -> Result<Resumed, StoreError> {
        if !self.core.config.sessions.remember {
            return Ok(Resumed::Unknown);
        }
        let (now, next) = (self.core.now(), SecretToken::generate(&mut rng()));
        let used = RememberUse {
            series: &token.series.digest(),
            secret: &token.secret.digest(),
            next: &next.digest(),
            now,
            grace_since: now - GRACE,
        };
        let theft = self.record(AuthEventKind::RememberedStolen, None, None);
        let outcome = self
            .change(None, &theft, |store, theft| store.remembered().use_remembered(used, theft));
        match outcome.await? {
            RememberOutcome::Rotated(remembered, user) => {
                let next = RememberToken { series: token.series.clone(), secret: next };
                self.resume_session(&remembered, &user, Some(next)).await
            }
            RememberOutcome::Parallel(remembered, user) => {
                self.resume_session(&remembered, &user, None).await
            }
            RememberOutcome::Stolen(_) => Ok(Resumed::Stolen),
            RememberOutcome::Unknown => Ok(Resumed::Unknown),
        }
    }

    async fn resume_session(
        &self,
        remembered: &Remembered,
        user: &User,
        token: Option<RememberToken>,
    ) -> Result<Resumed, StoreError> {
        let login = Some((remembered.id, remembered.expires_at));
        let begin = Begin { remembered: login, ..Begin::default() };
        let Some(mut begun) = self.begin_session(user, begin).await? else {
            return Ok(Resumed::Unknown);
        };
        begun.remember_token = token;
        Ok(Resumed::Session(Box::new(begun)))
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
