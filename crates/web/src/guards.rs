use std::ops::Deref;

use countersign_auth::{AuthEventKind, Authenticated};
use countersign_domain::{SecretToken, Session, User};
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Sentinel, async_trait};
use tokio::sync::OnceCell;

use crate::caller::caller;
use crate::identity::{self, Identity};
use crate::state::Shared;

/// The logged-in user. A route that takes this guard is for members only.
///
/// | who asks | outcome |
/// |---|---|
/// | a logged-in user | success |
/// | an anonymous visitor | error, 401: a browser is sent to the login page and comes back; who asks for JSON gets a problem, htmx an `HX-Redirect` |
/// | anybody, while the store cannot say | error, 503 |
///
/// It never forwards, so no catch-all route can answer in its place. It dereferences to [`User`].
/// An application that did not attach [`AuthPages`](crate::AuthPages) does not launch.
#[derive(Clone, Copy, Debug)]
pub struct CurrentUser<'r>(&'r Authenticated);

/// The logged-in user, who proved who they are a short while ago. For what must not be done by
/// whoever finds a browser open.
///
/// | who asks | outcome |
/// |---|---|
/// | a user whose login is fresh | success |
/// | a user whose login is not, or who was only remembered | error, 401: a browser is sent to `/reauthenticate` and comes back; JSON and htmx as above |
/// | an anonymous visitor | as with [`CurrentUser`] |
/// | anybody, while the store cannot say | error, 503 |
///
/// It dereferences to [`CurrentUser`].
#[derive(Clone, Copy, Debug)]
pub struct FreshLogin<'r>(CurrentUser<'r>);

/// The user whose program shows a session's token as a bearer token (RFC 6750, section 2.1):
/// `Authorization: Bearer …`, with what [`Auth::log_in`](crate::Auth::log_in) gave out. Flask-Login's
/// `request_loader`. Cookies count for nothing here, so no browser can be made to send it.
///
/// | who asks | outcome |
/// |---|---|
/// | a program with the token of a session that stands | success |
/// | anybody else | error, 401: a problem with `WWW-Authenticate: Bearer`, never a redirect |
/// | anybody, while the store cannot say | error, 503 |
///
/// It dereferences to [`User`].
#[derive(Clone, Debug)]
pub struct ApiUser(Authenticated);

/// Whoever asks. The guard always succeeds; that the store could not say is a state of its own, so
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

/// Why a guard let nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// Nobody is logged in.
    #[error("nobody is logged in")]
    LoginRequired,
    /// The login is not fresh.
    #[error("the login is not fresh")]
    RefreshRequired,
    /// No bearer token of a session that stands was shown.
    #[error("no valid bearer token was shown")]
    TokenRequired,
    /// The store cannot say whether anybody is logged in.
    #[error("the store is unavailable")]
    Unavailable,
}

impl GuardError {
    fn status(self) -> Status {
        match self {
            Self::LoginRequired | Self::RefreshRequired | Self::TokenRequired => {
                Status::Unauthorized
            }
            Self::Unavailable => Status::ServiceUnavailable,
        }
    }
}

/// What one of our guards refused a request for, for the catcher that answers it.
#[derive(Default)]
struct Refused(OnceCell<GuardError>);

/// What one of our guards refused `request` for.
pub(crate) fn refusal(request: &Request<'_>) -> Option<GuardError> {
    request.local_cache(Refused::default).0.get().copied()
}

/// What a route asks of whoever asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Login,
    FreshLogin,
}

/// The user, if `request` has what a route needs. Who has not is marked for the catcher, and
/// listeners hear of it.
pub(crate) async fn admit<'r>(
    request: &'r Request<'_>,
    need: Need,
) -> Result<CurrentUser<'r>, (Status, GuardError)> {
    let admitted = match request.rocket().state::<Shared>() {
        Some(shared) => {
            let visitor = Visitor::of(request, shared).await;
            visitor.admitted(need).inspect_err(|error| tell(*error, visitor, request, shared))
        }
        None => Err(GuardError::Unavailable),
    };
    admitted.map_err(|error| {
        // The first refusal is the one that is answered.
        let _ = request.local_cache(Refused::default).0.set(error);
        (error.status(), error)
    })
}

fn tell(error: GuardError, visitor: Visitor<'_>, request: &Request<'_>, shared: &Shared) {
    let kind = match error {
        GuardError::LoginRequired | GuardError::TokenRequired => AuthEventKind::UserUnauthorized,
        GuardError::RefreshRequired => AuthEventKind::UserNeedsRefresh,
        GuardError::Unavailable => return,
    };
    let (user, session) = match visitor {
        Visitor::User(user) => (Some(user.id), Some(user.session().id)),
        Visitor::Anonymous | Visitor::Unavailable => (None, None),
    };
    shared.auth.tell(kind, user, session, &caller(request, shared));
}

impl<'r> Visitor<'r> {
    /// Whether a user is logged in.
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

    /// Whether nobody is logged in.
    ///
    /// # Errors
    ///
    /// [`GuardError::Unavailable`] when the store cannot say.
    pub fn is_anonymous(&self) -> Result<bool, GuardError> {
        self.is_authenticated().map(|is_authenticated| !is_authenticated)
    }

    /// Whether a user is logged in who may be: Flask-Login's `is_active`. A user who is disabled is
    /// never logged in here, so it says the same as [`is_authenticated`](Visitor::is_authenticated).
    ///
    /// # Errors
    ///
    /// [`GuardError::Unavailable`] when the store cannot say.
    pub fn is_active(&self) -> Result<bool, GuardError> {
        self.is_authenticated()
    }

    /// The id of the user in its written form, `None` if nobody is logged in: Flask-Login's
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

    fn admitted(self, need: Need) -> Result<CurrentUser<'r>, GuardError> {
        match self {
            Self::User(user) if need == Need::FreshLogin && !user.is_fresh() => {
                Err(GuardError::RefreshRequired)
            }
            Self::User(user) => Ok(user),
            Self::Anonymous => Err(GuardError::LoginRequired),
            Self::Unavailable => Err(GuardError::Unavailable),
        }
    }

    /// Who sends `request`; the store is asked at most once for each request.
    pub(crate) async fn of(request: &'r Request<'_>, shared: &Shared) -> Self {
        match identity::of(request, shared).await {
            Identity::User(authenticated) => Self::User(CurrentUser(authenticated)),
            Identity::Anonymous => Self::Anonymous,
            Identity::Unavailable => Self::Unavailable,
        }
    }
}

impl<'r> CurrentUser<'r> {
    /// The session that the user is in.
    pub fn session(&self) -> &'r Session {
        &self.0.session
    }

    /// Whether the user proved who they are a short while ago: Flask-Login's `login_fresh`.
    pub fn is_fresh(&self) -> bool {
        self.0.is_fresh
    }

    pub(crate) fn authenticated(&self) -> &'r Authenticated {
        self.0
    }
}

impl Deref for CurrentUser<'_> {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0.user
    }
}

impl<'r> Deref for FreshLogin<'r> {
    type Target = CurrentUser<'r>;

    fn deref(&self) -> &CurrentUser<'r> {
        &self.0
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Visitor<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        match request.rocket().state::<Shared>() {
            Some(shared) => Outcome::Success(Self::of(request, shared).await),
            None => Outcome::Success(Self::Unavailable),
        }
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for CurrentUser<'r> {
    type Error = GuardError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, GuardError> {
        match admit(request, Need::Login).await {
            Ok(user) => Outcome::Success(user),
            Err(refused) => Outcome::Error(refused),
        }
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for FreshLogin<'r> {
    type Error = GuardError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, GuardError> {
        match admit(request, Need::FreshLogin).await {
            Ok(user) => Outcome::Success(Self(user)),
            Err(refused) => Outcome::Error(refused),
        }
    }
}

impl ApiUser {
    /// The session whose token was shown.
    pub fn session(&self) -> &Session {
        &self.0.session
    }

    async fn of(request: &Request<'_>) -> Result<Self, GuardError> {
        let shared = request.rocket().state::<Shared>().ok_or(GuardError::Unavailable)?;
        let caller = caller(request, shared);
        let found = match bearer(request) {
            Some(token) => shared.auth.authenticate(&token, &caller).await.map_err(|error| {
                identity::log_outage(&error, request);
                GuardError::Unavailable
            })?,
            None => None,
        };
        found.map(Self).ok_or_else(|| {
            tell(GuardError::TokenRequired, Visitor::Anonymous, request, shared);
            GuardError::TokenRequired
        })
    }
}

/// The one bearer token that a request shows.
fn bearer(request: &Request<'_>) -> Option<SecretToken> {
    let mut headers = request.headers().get("Authorization");
    let (scheme, token) = headers.next().filter(|_| headers.next().is_none())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| SecretToken::parse(token.trim()).ok())?
}

impl Deref for ApiUser {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0.user
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for ApiUser {
    type Error = GuardError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, GuardError> {
        match Self::of(request).await {
            Ok(user) => Outcome::Success(user),
            Err(error) => {
                // The first refusal is the one that is answered.
                let _ = request.local_cache(Refused::default).0.set(error);
                Outcome::Error((error.status(), error))
            }
        }
    }
}

impl Sentinel for ApiUser {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Shared>().is_none()
    }
}

/// An application that forgot the fairing does not launch.
macro_rules! needs_auth_pages {
    ($($guard:ident),*) => {$(
        impl Sentinel for $guard<'_> {
            fn abort(rocket: &Rocket<Ignite>) -> bool {
                rocket.state::<Shared>().is_none()
            }
        }
    )*};
}

needs_auth_pages!(Visitor, CurrentUser, FreshLogin);
