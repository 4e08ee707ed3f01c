use countersign_domain::store::{RememberGrant, SessionGrant};
use countersign_domain::{
    Client, EmailAddress, EmailError, OffsetDateTime, Password, PasswordError, PasswordHash,
    Reason, RememberToken, Remembered, RememberedId, SecretToken, Session, SessionId, StoreError,
    User,
};

use crate::hasher::Verdict;
use crate::throttle::{NotCounted, Tried};
use crate::{Auth, AuthEventKind, Caller, Overloaded, Throttled};

/// What somebody typed who wants to be logged in.
#[derive(Clone, Copy)]
pub struct LogIn<'a> {
    /// The email address.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// Who asks; their client is to get the session.
    pub caller: &'a Caller,
    /// Whether they want to be remembered there.
    pub remember: bool,
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
    /// What the client shows after the session has ended, if its user is to be remembered there.
    /// `None` where there is nothing new to show.
    pub remember_token: Option<RememberToken>,
    /// What the browser shows from now on whenever somebody logs in with it, also long after. `None`
    /// where there is nothing new to show.
    pub browser_token: Option<SecretToken>,
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

impl Auth {
    /// Logs a user in by their password: exactly one hash is computed for each attempt, whether or
    /// not there is such a user.
    ///
    /// # Errors
    ///
    /// When a field is invalid, the credentials are wrong, or the service cannot do it now.
    pub async fn log_in(&self, attempt: LogIn<'_>) -> Result<Login, LogInError> {
        let done = self.prove(attempt).await;
        self.metrics.login_ended(&done);
        done
    }

    async fn prove(&self, attempt: LogIn<'_>) -> Result<Login, LogInError> {
        let policy = self.password_policy();
        let checked = (EmailAddress::parse(attempt.email), policy.parse_attempt(attempt.password));
        let (email, password) = match checked {
            (Ok(email), Ok(password)) => (email, password),
            (email, password) => {
                let invalid = InvalidLogIn { email: email.err(), password: password.err() };
                return Err(LogInError::Invalid(invalid));
            }
        };
        let found = self.store.user_by_email(&email).await?;
        let tried = self.try_login(found.as_ref(), &email, attempt.caller).await?;
        let user = found.as_ref().filter(|user| user.is_active);
        let hash = user.and_then(|user| user.password_hash.as_ref());
        let verdict = match self.hasher.verify(password.clone(), hash, attempt.caller).await {
            Ok(verdict) => verdict,
            Err(overloaded) => {
                self.called_off(tried).await;
                return Err(overloaded.into());
            }
        };
        let id = found.as_ref().map(|user| user.id);
        let who = Tried { user: id, session: None, caller: attempt.caller };
        let (Some(user), Some(hash), Verdict::Correct { outdated }) = (user, hash, verdict) else {
            self.failed(tried, why_refused(found.as_ref()), who).await?;
            return Err(LogInError::WrongCredentials);
        };
        let upgraded = match outdated {
            true => self.upgrade_hash(user, hash, password, attempt.caller).await,
            false => None,
        };
        let begin = Begin {
            is_fresh: true,
            proof: Some(upgraded.as_ref().unwrap_or(hash)),
            remember: attempt.remember,
            remembered: None,
        };
        let Some(mut begun) = self.begin_session(user, begin, attempt.caller).await? else {
            self.failed(tried, Reason::Superseded, who).await?;
            return Err(LogInError::WrongCredentials);
        };
        self.succeeded(tried).await;
        begun.browser_token = self.know_browser(user, attempt.caller).await;
        Ok(Login::Complete(begun))
    }

    /// Logs a user in who has proven who they are in another way than by a password that this service
    /// knows: Flask-Login's `login_user`. `None` when they are gone, or disabled.
    ///
    /// # Errors
    ///
    /// When the store failed.
    pub async fn log_in_user(
        &self,
        user: &User,
        remember: bool,
        caller: &Caller,
    ) -> Result<Option<NewSession>, StoreError> {
        let begin = Begin { is_fresh: true, remember, ..Begin::default() };
        let mut begun = self.begin_session(user, begin, caller).await?;
        if let Some(begun) = &mut begun {
            begun.browser_token = self.know_browser(user, caller).await;
        }
        Ok(begun)
    }

    /// A session in which the user has proven nothing, for tests.
    ///
    /// # Panics
    ///
    /// When the store fails, or the user may not log in.
    #[cfg(feature = "testing")]
    #[expect(clippy::expect_used, reason = "a test fails by panicking")]
    pub async fn stale_session(&self, user: &User, caller: &Caller) -> NewSession {
        let begun = self.begin_session(user, Begin::default(), caller).await;
        begun.expect("the store answers").expect("the user may log in")
    }

    /// Makes the saved hash as strong as a new one would be. The login goes on if that fails: it
    /// can be done at the next one.
    async fn upgrade_hash(
        &self,
        user: &User,
        old: &PasswordHash,
        password: Password,
        caller: &Caller,
    ) -> Option<PasswordHash> {
        let new = self.hasher.hash(password, caller, &mut Self::rng()).await.ok()?;
        let upgrade = self.store.upgrade_password_hash(user.id, old, &new);
        match self.cache.changing(user.id, upgrade).await {
            Ok(true) => Some(new),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(%error, user = %user.id, "a password hash was not upgraded");
                None
            }
        }
    }

    /// Begins a session; `None` if what it rests on is gone.
    pub(crate) async fn begin_session(
        &self,
        user: &User,
        begin: Begin<'_>,
        caller: &Caller,
    ) -> Result<Option<NewSession>, StoreError> {
        let now = self.clock.now();
        let token = SecretToken::generate(&mut Self::rng());
        let remember = begin.remember && self.config.sessions.remember;
        let remember = remember.then(|| self.remember(user, &caller.client, now));
        let remembered = remember.as_ref().map(|(remembered, _)| remembered.id);
        let absolute = now + self.config.sessions.lifetimes.absolute;
        let session = Session {
            id: SessionId::generate(now, &mut Self::rng()),
            user_id: user.id,
            client: caller.client.clone(),
            remembered: remembered.or(begin.remembered.map(|(id, _)| id)),
            created_at: now,
            authenticated_at: begin.is_fresh.then_some(now),
            last_seen_at: now,
            expires_at: begin.remembered.map_or(absolute, |(_, expiry)| expiry.min(absolute)),
        };
        let digests =
            remember.as_ref().map(|(_, token)| (token.series.digest(), token.secret.digest()));
        let kind = if begin.is_fresh {
            AuthEventKind::UserLoggedIn
        } else {
            AuthEventKind::UserRemembered
        };
        let entry = self.entry(kind, Some(user.id), Some(session.id), caller);
        let grant = SessionGrant {
            session: &session,
            token: &token.digest(),
            proof: begin.proof,
            remember: match (&remember, &digests) {
                (Some((remembered, _)), Some((series, secret))) => {
                    Some(RememberGrant { remembered, series, secret })
                }
                _ => None,
            },
            max_per_user: self.config.sessions.max_per_user,
            entry: &entry,
        };
        // It may end the user's oldest one.
        if !self.cache.changing(user.id, self.store.insert_session(grant)).await? {
            return Ok(None);
        }
        self.publish(&entry.event);
        let (remember_token, user) = (remember.map(|(_, token)| token), user.clone());
        Ok(Some(NewSession { token, remember_token, browser_token: None, session, user }))
    }

    fn remember(
        &self,
        user: &User,
        client: &Client,
        now: OffsetDateTime,
    ) -> (Remembered, RememberToken) {
        let remembered = Remembered {
            id: RememberedId::generate(now, &mut Self::rng()),
            user_id: user.id,
            client: client.clone(),
            created_at: now,
            used_at: now,
            expires_at: now + self.config.sessions.lifetimes.remembered,
        };
        (remembered, RememberToken::generate(&mut Self::rng()))
    }
}

/// On what a session rests that is to begin.
#[derive(Clone, Copy, Default)]
pub(crate) struct Begin<'a> {
    /// Whether the user has just proven who they are.
    pub(crate) is_fresh: bool,
    /// The hash that a password was checked against.
    pub(crate) proof: Option<&'a PasswordHash>,
    /// Whether a remembered login is to begin with it.
    pub(crate) remember: bool,
    /// The remembered login that began it, and that it does not outlive.
    pub(crate) remembered: Option<(RememberedId, OffsetDateTime)>,
}

impl From<NotCounted> for LogInError {
    fn from(error: NotCounted) -> Self {
        match error {
            NotCounted::Throttled(throttled) => throttled.into(),
            NotCounted::Store(error) => error.into(),
        }
    }
}

/// Why nobody is logged in, for the trail.
fn why_refused(user: Option<&User>) -> Reason {
    match user {
        None => Reason::UnknownUser,
        Some(user) if !user.is_active => Reason::Disabled,
        Some(user) if user.password_hash.is_none() => Reason::NoPassword,
        Some(_) => Reason::WrongPassword,
    }
}
