use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::guards::current_user::CurrentUser;
use crate::guards::guard_error::GuardError;
use crate::guards::lookup::lookup;
use crate::site::Site;

/// Whoever asks. The guard always succeeds. That the store cannot say is a state of its own, so
/// that an outage is never taken for an anonymous visitor.
#[derive(Clone, Copy, Debug)]
pub enum Visitor<'r> {
    /// A logged-in user.
    User(CurrentUser<'r>),
    /// Nobody is logged in.
    Anonymous,
    /// The store cannot say whether anybody is logged in. Answer 503, or show what is meant for
    /// everybody.
    Unavailable,
}

impl<'r> Visitor<'r> {
    /// Returns whether a user is logged in.
    ///
    /// # Errors
    ///
    /// [`GuardError::Unavailable`] when the store cannot say.
    pub fn is_authenticated(&self) -> Result<bool, GuardError> {
        match self {
            Self::User(_) => Ok(true),
            Self::Anonymous => Ok(false),
            Self::Unavailable => Err(GuardError::Unavailable),
        }
    }

    /// Returns whether nobody is logged in.
    ///
    /// # Errors
    ///
    /// [`GuardError::Unavailable`] when the store cannot say.
    pub fn is_anonymous(&self) -> Result<bool, GuardError> {
        self.is_authenticated().map(|is_authenticated| !is_authenticated)
    }

    /// Returns whether an enabled user is logged in: Flask-Login's `is_active`. A disabled user is
    /// never logged in here, so it says the same as [`is_authenticated`](Visitor::is_authenticated).
    ///
    /// # Errors
    ///
    /// [`GuardError::Unavailable`] when the store cannot say.
    pub fn is_active(&self) -> Result<bool, GuardError> {
        self.is_authenticated()
    }

    /// Returns the id of the user in its written form, `None` if nobody is logged in: Flask-Login's
    /// `get_id`.
    ///
    /// # Errors
    ///
    /// [`GuardError::Unavailable`] when the store cannot say.
    pub fn get_id(&self) -> Result<Option<String>, GuardError> {
        match self {
            Self::User(user) => Ok(Some(user.get_id())),
            Self::Anonymous => Ok(None),
            Self::Unavailable => Err(GuardError::Unavailable),
        }
    }

    /// Returns who sends the request. The store is asked at most once for each request.
    pub(crate) async fn of(site: Site<'r>) -> Self {
        match lookup(site).await {
            Ok(Some(authenticated)) => Self::User(CurrentUser::new(authenticated)),
            Ok(None) => Self::Anonymous,
            Err(_) => Self::Unavailable,
        }
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Visitor<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        match Site::of(request) {
            Some(site) => Outcome::Success(Self::of(site).await),
            None => Outcome::Success(Self::Unavailable),
        }
    }
}
