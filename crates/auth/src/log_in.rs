use countersign_domain::store::SessionGrant;
use countersign_domain::{
    Client, EmailAddress, EmailError, Password, PasswordError, PasswordHash, SecretToken, Session,
    SessionId, StoreError, User,
};

use crate::hasher::Verdict;
use crate::{Auth, Overloaded};

/// What somebody typed who wants to be logged in.
#[derive(Clone, Copy)]
pub struct LogIn<'a> {
    /// The email address.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// The client that is to get the session.
    pub client: &'a Client,
}

/// What is wrong with a [`LogIn`], field by field, before any user is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InvalidLogIn {
    /// What is wrong with the email address.
    pub email: Option<EmailError>,
    /// What is wrong with the password.
    pub password: Option<PasswordError>,
}

/// How far a login has come.
#[derive(Debug)]
#[non_exhaustive]
pub enum Login {
    /// The user is logged in.
    Complete(NewSession),
}

/// A session that has just begun.
#[derive(Debug)]
pub struct NewSession {
    /// What the client shows from now on. It is not saved and cannot be had again.
    pub token: SecretToken,
    /// The session.
    pub session: Session,
    /// Whose it is.
    pub user: User,
}

/// Why somebody was not logged in.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// A field cannot be anybody's.
    #[error("the login is invalid: {0:?}")]
    Invalid(InvalidLogIn),
    /// There is no such user, or their password is another, or they have none, or are disabled.
    /// Nobody is told which.
    #[error("invalid email address or password")]
    WrongCredentials,
    /// Try again later.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Auth {
    /// Logs a user in by their password: exactly one hash is computed for each attempt, whether or
    /// not there is such a user.
    ///
    /// # Errors
    ///
    /// When a field is invalid, the credentials are wrong, or the service cannot do it now.
    pub async fn log_in(&self, attempt: LogIn<'_>) -> Result<Login, LogInError> {
        let policy = self.password_policy();
        let checked = (EmailAddress::parse(attempt.email), policy.parse_attempt(attempt.password));
        let (email, password) = match checked {
            (Ok(email), Ok(password)) => (email, password),
            (email, password) => {
                let invalid = InvalidLogIn { email: email.err(), password: password.err() };
                return Err(LogInError::Invalid(invalid));
            }
        };
        let user = self.store.user_by_email(&email).await?.filter(|user| user.is_active);
        let hash = user.as_ref().and_then(|user| user.password_hash.as_ref());
        let verdict = self.hasher.verify(password.clone(), hash).await?;
        let (Some(user), Some(hash), Verdict::Correct { outdated }) = (&user, hash, verdict) else {
            return Err(LogInError::WrongCredentials);
        };
        let upgraded = if outdated { self.upgrade_hash(user, hash, password).await } else { None };
        let proof = upgraded.as_ref().unwrap_or(hash);
        let begun = self.begin_session(user, Some(proof), attempt.client).await?;
        begun.map(Login::Complete).ok_or(LogInError::WrongCredentials)
    }

    /// Makes the saved hash as strong as a new one would be. The login goes on if that fails: it
    /// can be done at the next one.
    async fn upgrade_hash(
        &self,
        user: &User,
        old: &PasswordHash,
        password: Password,
    ) -> Option<PasswordHash> {
        let new = self.hasher.hash(password, &mut Self::rng()).await.ok()?;
        match self.store.upgrade_password_hash(user.id, old, &new).await {
            Ok(true) => Some(new),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(%error, user = %user.id, "a password hash was not upgraded");
                None
            }
        }
    }

    /// Begins a session for a user who has proven who they are; `None` if what it rests on is gone.
    async fn begin_session(
        &self,
        user: &User,
        proof: Option<&PasswordHash>,
        client: &Client,
    ) -> Result<Option<NewSession>, StoreError> {
        let now = self.clock.now();
        let token = SecretToken::generate(&mut Self::rng());
        let session = Session {
            id: SessionId::generate(now, &mut Self::rng()),
            user_id: user.id,
            client: client.clone(),
            created_at: now,
            authenticated_at: now,
            last_seen_at: now,
            expires_at: now + self.config.sessions.lifetimes.absolute,
        };
        let grant = SessionGrant {
            session: &session,
            token: &token.digest(),
            proof,
            max_per_user: self.config.sessions.max_per_user,
        };
        let stands = self.store.insert_session(grant).await?;
        Ok(stands.then(|| NewSession { token, session, user: user.clone() }))
    }
}
