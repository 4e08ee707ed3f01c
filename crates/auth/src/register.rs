use countersign_domain::{
    EmailAddress, EmailError, PasswordContext, PasswordError, StoreError, User, UserId, Username,
    UsernameError,
};

use crate::throttle::NotCounted;
use crate::{Auth, AuthEventKind, Caller, Overloaded, Throttled};

/// What somebody typed who wants an account.
#[derive(Clone, Copy)]
pub struct Registration<'a> {
    /// The email address.
    pub email: &'a str,
    /// The name that others are to see.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
    /// Who asks.
    pub caller: &'a Caller,
}

/// What is wrong with a [`Registration`], field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InvalidRegistration {
    /// What is wrong with the email address.
    pub email: Option<EmailError>,
    /// What is wrong with the username.
    pub username: Option<UsernameError>,
    /// What is wrong with the password.
    pub password: Option<PasswordError>,
}

/// Why somebody was not registered. Nothing was saved.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// A field is not acceptable.
    #[error("the registration is invalid: {0:?}")]
    Invalid(InvalidRegistration),
    /// Another user has the email address.
    #[error("the email address is taken")]
    EmailTaken,
    /// Too many have registered from one place: try again later.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Try again later.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl Auth {
    /// Registers a user, who is not logged in by it.
    ///
    /// # Errors
    ///
    /// When a field is invalid, the email address is taken, or the service cannot do it now.
    pub async fn register(&self, registration: Registration<'_>) -> Result<User, RegisterError> {
        let Registration { email, username, password, caller } = registration;
        let context = PasswordContext { email, username };
        let checked = (
            EmailAddress::parse(email),
            Username::parse(username),
            self.new_password(password, context).await.map_err(RegisterError::Store)?,
        );
        let (email, username, password) = match checked {
            (Ok(email), Ok(username), Ok(password)) => (email, username, password),
            (email, username, password) => {
                return Err(RegisterError::Invalid(InvalidRegistration {
                    email: email.err(),
                    username: username.err(),
                    password: password.err(),
                }));
            }
        };
        self.try_registration(caller).await?;
        // Hashed before the store is asked whether the address is free: a taken one is answered no
        // faster, and no connection is held meanwhile.
        let hash = self.hasher.hash(password, caller, &mut Self::rng()).await?;
        let now = self.clock.now();
        let user = User {
            id: UserId::generate(now, &mut Self::rng()),
            email,
            username,
            password_hash: Some(hash),
            is_active: true,
            created_at: now,
            updated_at: now,
        };
        let entry = self.entry(AuthEventKind::UserRegistered, Some(user.id), None, caller);
        match self.store.insert_user(&user, &entry).await {
            Ok(()) => {
                self.publish(&entry.event);
                Ok(user)
            }
            Err(StoreError::Taken(_)) => Err(RegisterError::EmailTaken),
            Err(error) => Err(RegisterError::Store(error)),
        }
    }
}

impl From<NotCounted> for RegisterError {
    fn from(error: NotCounted) -> Self {
        match error {
            NotCounted::Throttled(throttled) => throttled.into(),
            NotCounted::Store(error) => Self::Store(error),
        }
    }
}
