use countersign_domain::{
    AuthEventKind, EmailAddress, EmailError, PasswordContext, PasswordError, StoreError, User,
    UserId, Username, UsernameError,
};

use crate::core::Acting;
use crate::password::advice::PasswordAdvice;
use crate::password::choose::NotChosen;
use crate::password::workers::Overloaded;
use crate::random::rng;
use crate::throttle::{NotCounted, Throttled};

/// What somebody typed to get an account.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct NewUser<'a> {
    /// The email address.
    pub email: &'a str,
    /// The name that others will see.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
}

impl<'a> NewUser<'a> {
    /// Returns what somebody typed.
    pub fn new(email: &'a str, username: &'a str, password: &'a str) -> Self {
        Self { email, username, password }
    }
}

/// A user who has just registered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Registered {
    /// The user, who is not logged in.
    pub user: User,
    /// What to tell them about their password; nothing when it is strong.
    pub advice: Option<PasswordAdvice>,
}

/// What is wrong with a [`NewUser`], field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InvalidNewUser {
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
    Invalid(InvalidNewUser),
    /// Another user has the email address. Holds what to tell about the password.
    #[error("the email address is taken")]
    EmailTaken(Option<PasswordAdvice>),
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

impl Acting<'_> {
    /// Registers a user without logging them in.
    ///
    /// # Errors
    ///
    /// When a field is invalid, the email address is taken, or the service cannot do it now.
    pub async fn register(&self, new: NewUser<'_>) -> Result<Registered, RegisterError> {
        let context = PasswordContext { email: new.email, username: new.username };
        let fields = (
            EmailAddress::parse(new.email),
            Username::parse(new.username),
            self.read_new_password(new.password, context),
        );
        let (email, username, password) = match fields {
            (Ok(email), Ok(username), Ok(password)) => (email, username, password),
            (email, username, password) => {
                return Err(RegisterError::Invalid(InvalidNewUser {
                    email: email.err(),
                    username: username.err(),
                    password: password.err(),
                }));
            }
        };
        self.try_registration().await?;
        // Before the store is asked whether the address is free: a taken one is answered no faster,
        // and no connection is held meanwhile.
        let chosen = self.choose_password(new.password, password, context).await?;
        let now = self.core.now();
        let mut user = User::new(UserId::generate(now, &mut rng()), email, username, now);
        user.password_hash = Some(chosen.hash);
        let record = self.record(AuthEventKind::UserRegistered, Some(user.id), None);
        let saved = self
            .change(Some(user.id), &record, |store, record| {
                store.users().insert_user(&user, record)
            })
            .await;
        match saved {
            Ok(()) => Ok(Registered { user, advice: chosen.advice }),
            Err(StoreError::Taken(_)) => Err(RegisterError::EmailTaken(chosen.advice)),
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

impl From<NotChosen> for RegisterError {
    fn from(error: NotChosen) -> Self {
        match error {
            NotChosen::Breached(error) => {
                let invalid = InvalidNewUser { password: Some(error), ..Default::default() };
                Self::Invalid(invalid)
            }
            NotChosen::Overloaded(overloaded) => overloaded.into(),
            NotChosen::Store(error) => Self::Store(error),
        }
    }
}
