use countersign_domain::{
    EmailAddress, EmailError, Password, PasswordError, PasswordHash, Proof, Reason, StoreError,
    User,
};

use super::admit::{Applicant, LoginState};
use crate::core::Acting;
use crate::metrics::Unheard;
use crate::password::hasher::{Against, Verdict};
use crate::password::workers::Overloaded;
use crate::throttle::{NotCounted, Throttled, Try};

/// What somebody typed to log in.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct LogIn<'a> {
    /// The email address.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// Whether they want to be remembered.
    pub remember: bool,
}

impl<'a> LogIn<'a> {
    /// Returns the login of somebody who does not want to be remembered.
    pub fn new(email: &'a str, password: &'a str) -> Self {
        Self { email, password, remember: false }
    }

    /// Returns the same login of somebody who wants to be remembered, or does not.
    #[must_use]
    pub fn remember(self, remember: bool) -> Self {
        Self { remember, ..self }
    }
}

/// What is wrong with a [`LogIn`], field by field, before any user is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InvalidLogIn {
    /// What is wrong with the email address.
    pub email: Option<EmailError>,
    /// What is wrong with the password.
    pub password: Option<PasswordError>,
}

/// Why somebody was not logged in.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// A field cannot be anybody's.
    #[error("the login is invalid: {0:?}")]
    Invalid(InvalidLogIn),
    /// There is no such user, or their password is another, or they have none, or are disabled. Nobody is
    /// told which.
    #[error("invalid email address or password")]
    WrongCredentials,
    /// Too many tries have failed: try again later. Nobody is told whose.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Try again later.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Acting<'_> {
    /// Logs a user in by their password. Computes exactly one hash for each attempt, whether or not there
    /// is such a user.
    ///
    /// # Errors
    ///
    /// When a field is invalid, the credentials are wrong, or the service cannot do it now.
    pub async fn log_in(&self, attempt: LogIn<'_>) -> Result<LoginState, LogInError> {
        let done = self.log_in_by_password(attempt).await;
        let unheard = match &done {
            // An event tells of these, or the door.
            Ok(_) | Err(LogInError::WrongCredentials) => None,
            Err(LogInError::Invalid(_)) => Some(Unheard::Invalid),
            Err(LogInError::Throttled(_)) => Some(Unheard::Throttled),
            Err(LogInError::Overloaded(_)) => Some(Unheard::Overloaded),
            Err(LogInError::Store(_)) => Some(Unheard::Unavailable),
        };
        unheard.into_iter().for_each(|outcome| self.core.metrics.login_ended(outcome));
        done
    }

    async fn log_in_by_password(&self, attempt: LogIn<'_>) -> Result<LoginState, LogInError> {
        let (email, password) = self.read(attempt)?;
        let found = self.core.store.users().user_by_email(&email).await?;
        let stand_in = self.core.stand_in(&email).await;
        let tried = self.try_login(found.as_ref(), &email).await?;
        // The hash of a disabled user costs what it cost before, so that it does not show that they are.
        let hash = found.as_ref().and_then(|user| user.password_hash.as_ref());
        let against = Against { user: found.as_ref().map(|user| user.id), hash, stand_in };
        let verdict = match self.core.hasher.verify(password.clone(), against, self.caller).await {
            Ok(verdict) => verdict,
            Err(overloaded) => {
                self.called_off(tried).await;
                return Err(overloaded.into());
            }
        };
        let user = found.as_ref().filter(|user| user.is_active);
        let (Some(user), Some(hash), Verdict::Correct { outdated }) = (user, hash, verdict) else {
            return self.refuse(tried, why_refused(found.as_ref()), found.as_ref()).await;
        };
        let proved = match outdated {
            true => self.upgrade_hash(user, hash, password).await,
            false => hash.clone(),
        };
        let proof = Proof::password(proved);
        let applicant = Applicant { user, proof, remember: attempt.remember, tried };
        match self.admit(applicant).await? {
            Ok(state) => Ok(state),
            Err(tried) => self.refuse(tried, Reason::Superseded, Some(user)).await,
        }
    }

    fn read(&self, attempt: LogIn<'_>) -> Result<(EmailAddress, Password), LogInError> {
        let policy = &self.core.config.password;
        match (EmailAddress::parse(attempt.email), policy.parse_attempt(attempt.password)) {
            (Ok(email), Ok(password)) => Ok((email, password)),
            (email, password) => {
                let invalid = InvalidLogIn { email: email.err(), password: password.err() };
                Err(LogInError::Invalid(invalid))
            }
        }
    }

    async fn refuse(
        &self,
        tried: Try,
        why: Reason,
        user: Option<&User>,
    ) -> Result<LoginState, LogInError> {
        self.failed(tried, why, user.map(|user| user.id), None).await?;
        Err(LogInError::WrongCredentials)
    }

    /// Logs a user in for whom the application vouches: Flask-Login's `login_user`. `None` when they are
    /// gone, or disabled.
    ///
    /// # Errors
    ///
    /// When the store failed.
    pub async fn log_in_user(
        &self,
        user: &User,
        remember: bool,
    ) -> Result<Option<LoginState>, StoreError> {
        let (proof, tried) = (Proof::application(), Try::default());
        let admitted = self.admit(Applicant { user, proof, remember, tried }).await?;
        Ok(admitted.ok())
    }

    /// Makes the saved hash as strong as a new one would be. Returns the hash on which the login rests. It
    /// goes on if this fails: the next one makes up for it.
    async fn upgrade_hash(
        &self,
        user: &User,
        old: &PasswordHash,
        password: Password,
    ) -> PasswordHash {
        let Ok(new) = self.core.hasher.hash(password.clone(), self.caller).await else {
            return old.clone();
        };
        let users = self.core.store.users();
        let under_way = self.core.cache.change(Some(user.id));
        match users.upgrade_password_hash(user.id, old, &new).await {
            Ok(true) => {
                under_way.end(Some(user.id));
                new
            }
            Ok(false) => {
                under_way.end(None);
                self.other_hash(user, password).await.unwrap_or_else(|| old.clone())
            }
            Err(error) => {
                tracing::warn!(%error, user = %user.id, "a password hash was not upgraded");
                old.clone()
            }
        }
    }

    /// Returns the hash that the user has by now, if it is of the same password: another login has upgraded
    /// it meanwhile.
    async fn other_hash(&self, user: &User, password: Password) -> Option<PasswordHash> {
        let found = self.core.store.users().user_by_id(user.id).await.ok()??;
        let stand_in = self.core.stand_in(&user.email).await;
        let against = Against { user: Some(user.id), hash: found.password_hash.as_ref(), stand_in };
        match self.core.hasher.verify(password, against, self.caller).await {
            Ok(Verdict::Correct { .. }) => found.password_hash,
            _ => None,
        }
    }
}

impl From<NotCounted> for LogInError {
    fn from(error: NotCounted) -> Self {
        match error {
            NotCounted::Throttled(throttled) => throttled.into(),
            NotCounted::Store(error) => error.into(),
        }
    }
}

/// Returns why nobody is logged in, for the trail.
fn why_refused(user: Option<&User>) -> Reason {
    match user {
        None => Reason::UnknownUser,
        Some(user) if !user.is_active => Reason::Disabled,
        Some(user) if user.password_hash.is_none() => Reason::NoPassword,
        Some(_) => Reason::WrongPassword,
    }
}
