use countersign_domain::store::{RememberOutcome, RememberUse};
use countersign_domain::{
    AuthEventKind, Duration, RememberToken, Remembered, RememberedId, SecretToken, StoreError,
    User, UserId,
};

use crate::log_in::{Begin, NewSession};
use crate::{Auth, Caller};

/// How long after it was replaced a secret is still good, for requests that were under way together.
const GRACE: Duration = Duration::seconds(10);

/// What came of showing the token of a remembered login.
#[derive(Debug)]
#[non_exhaustive]
pub enum Resumed {
    /// A session has begun. It is not fresh: nobody has proven who they are.
    Session(Box<NewSession>),
    /// The token had been used before, so somebody else has it too. The remembered login and its
    /// sessions have ended; tell the user.
    Stolen,
    /// It opens nothing.
    Unknown,
}

impl Auth {
    /// Begins a session for a user who asked to be remembered on this client.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn resume(
        &self,
        token: &RememberToken,
        caller: &Caller,
    ) -> Result<Resumed, StoreError> {
        if !self.config.sessions.remember {
            return Ok(Resumed::Unknown);
        }
        let (now, next) = (self.clock.now(), SecretToken::generate(&mut Self::rng()));
        let stolen = self.entry(AuthEventKind::RememberedStolen, None, None, caller);
        let used = RememberUse {
            series: &token.series.digest(),
            secret: &token.secret.digest(),
            next: &next.digest(),
            now,
            grace_since: now - GRACE,
            stolen: &stolen,
        };
        let outcome = self.store.use_remembered(used).await;
        match &outcome {
            Ok(RememberOutcome::Stolen(remembered)) => self.cache.changed(remembered.user_id),
            Ok(_) => {}
            // It may have been found out to be stolen, whosever it was.
            Err(_) => self.cache.all_changed(),
        }
        match outcome? {
            RememberOutcome::Rotated(remembered, user) => {
                let next = RememberToken { series: token.series.clone(), secret: next };
                self.resume_session(&remembered, &user, caller, Some(next)).await
            }
            RememberOutcome::Parallel(remembered, user) => {
                self.resume_session(&remembered, &user, caller, None).await
            }
            RememberOutcome::Stolen(remembered) => {
                self.publish(&stolen.about(remembered.user_id).event);
                Ok(Resumed::Stolen)
            }
            RememberOutcome::Unknown => Ok(Resumed::Unknown),
        }
    }

    async fn resume_session(
        &self,
        remembered: &Remembered,
        user: &User,
        caller: &Caller,
        token: Option<RememberToken>,
    ) -> Result<Resumed, StoreError> {
        let login = Some((remembered.id, remembered.expires_at));
        let begin = Begin { remembered: login, ..Begin::default() };
        let Some(mut begun) = self.begin_session(user, begin, caller).await? else {
            return Ok(Resumed::Unknown);
        };
        begun.remember_token = token;
        Ok(Resumed::Session(Box::new(begun)))
    }

    /// Has the client that shows this token be remembered no longer.
    ///
    /// # Errors
    ///
    /// When it may still be.
    pub async fn forget(&self, token: &RememberToken, caller: &Caller) -> Result<(), StoreError> {
        let entry = self.entry(AuthEventKind::SessionsRevoked, None, None, caller);
        let ended = self.store.end_series(&token.series.digest(), &entry).await;
        match &ended {
            Ok(Some(user)) => {
                self.cache.changed(*user);
                self.publish(&entry.about(*user).event);
            }
            Ok(None) => {}
            // It may have ended, whosever it was.
            Err(_) => self.cache.all_changed(),
        }
        ended.map(drop)
    }

    /// Where a user is remembered, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn remembered(&self, user: UserId) -> Result<Vec<Remembered>, StoreError> {
        let mut remembered = self.store.remembered_of(user).await?;
        let now = self.clock.now();
        remembered.retain(|remembered| now < remembered.expires_at);
        Ok(remembered)
    }

    /// Has a user be remembered on one client no longer, and ends its sessions. False when they are
    /// not remembered under that id.
    ///
    /// # Errors
    ///
    /// When they may still be.
    pub async fn revoke_remembered(
        &self,
        user: UserId,
        id: RememberedId,
        caller: &Caller,
    ) -> Result<bool, StoreError> {
        let entry = self.entry(AuthEventKind::SessionsRevoked, Some(user), None, caller);
        let end = self.store.end_remembered(user, id, &entry);
        let ended = self.cache.changing(user, end).await?;
        if ended {
            self.publish(&entry.event);
        }
        Ok(ended)
    }
}
