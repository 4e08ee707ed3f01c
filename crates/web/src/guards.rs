use std::ops::Deref;

use countersign_auth::Authenticated;
use countersign_domain::{SecretToken, Session, StoreError, User};
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Sentinel, async_trait};
use tokio::sync::OnceCell;

use crate::cookies;
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

/// Why [`CurrentUser`] let nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// Nobody is logged in.
    #[error("nobody is logged in")]
    LoginRequired,
    /// The store cannot say whether anybody is logged in.
    #[error("the store is unavailable")]
    Unavailable,
}

/// What was found out about a request's session; looked up once, by whoever asks first.
#[derive(Default)]
struct Lookup(OnceCell<Identity>);

enum Identity {
    User(Box<Authenticated>),
    Anonymous,
    Unavailable,
}

/// Marks a request that one of our guards refused for want of a login.
#[derive(Default)]
pub(crate) struct Refused(OnceCell<()>);

impl Refused {
    pub(crate) fn is_marked(request: &Request<'_>) -> bool {
        request.local_cache(Self::default).0.initialized()
    }

    fn mark(request: &Request<'_>) {
        // A second mark says the same.
        let _ = request.local_cache(Self::default).0.set(());
    }
}

impl<'r> Visitor<'r> {
    /// Whether a user is logged in.
    pub fn is_authenticated(&self) -> bool {
        matches!(self, Self::User(_))
    }

    /// Whether it is certain that nobody is logged in.
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    /// The user, if one is logged in. `None` may also be an outage: see [`Visitor::Unavailable`].
    pub fn user(&self) -> Option<CurrentUser<'r>> {
        match self {
            Self::User(user) => Some(*user),
            Self::Anonymous | Self::Unavailable => None,
        }
    }

    /// The user, if one is logged in; `None` if it is certain that nobody is.
    ///
    /// # Errors
    ///
    /// [`GuardError::Unavailable`] when the store cannot say.
    pub fn known(self) -> Result<Option<CurrentUser<'r>>, GuardError> {
        match self {
            Self::User(user) => Ok(Some(user)),
            Self::Anonymous => Ok(None),
            Self::Unavailable => Err(GuardError::Unavailable),
        }
    }

    /// Who sends `request`; the store is asked at most once for each request.
    pub(crate) async fn of(request: &'r Request<'_>, shared: &Shared) -> Self {
        let lookup = request.local_cache(Lookup::default);
        let identity = lookup.0.get_or_init(|| identify(request, shared)).await;
        identity.into()
    }

    /// Who sends `request`, if that has been looked up.
    pub(crate) fn already_known(request: &'r Request<'_>) -> Option<Self> {
        request.local_cache(Lookup::default).0.get().map(Self::from)
    }
}

impl<'r> From<&'r Identity> for Visitor<'r> {
    fn from(identity: &'r Identity) -> Self {
        match identity {
            Identity::User(authenticated) => Self::User(CurrentUser(authenticated)),
            Identity::Anonymous => Self::Anonymous,
            Identity::Unavailable => Self::Unavailable,
        }
    }
}

async fn identify(request: &Request<'_>, shared: &Shared) -> Identity {
    let shown = cookies::read(request, shared.cookies.session);
    let Some(Ok(token)) = shown.map(SecretToken::parse) else {
        return Identity::Anonymous;
    };
    match shared.auth.authenticate(&token).await {
        Ok(Some(authenticated)) => Identity::User(Box::new(authenticated)),
        Ok(None) => Identity::Anonymous,
        Err(error) => {
            log_outage(&error, request);
            Identity::Unavailable
        }
    }
}

/// Tells the operator, once, what the visitor is not told.
pub(crate) fn log_outage(error: &StoreError, request: &Request<'_>) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let request_id = crate::request_id::of(request);
    tracing::error!(%error, cause, request_id, "the store failed");
}

impl<'r> CurrentUser<'r> {
    /// The session that the user is in.
    pub fn session(&self) -> &'r Session {
        &self.0.session
    }

    /// Whether the user proved who they are a short while ago.
    pub fn is_fresh(&self) -> bool {
        self.0.is_fresh
    }
}

impl Deref for CurrentUser<'_> {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0.user
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
        let visitor = match request.rocket().state::<Shared>() {
            Some(shared) => Visitor::of(request, shared).await,
            None => Visitor::Unavailable,
        };
        match visitor {
            Visitor::User(user) => Outcome::Success(user),
            Visitor::Anonymous => {
                Refused::mark(request);
                Outcome::Error((Status::Unauthorized, GuardError::LoginRequired))
            }
            Visitor::Unavailable => {
                Outcome::Error((Status::ServiceUnavailable, GuardError::Unavailable))
            }
        }
    }
}

impl Sentinel for Visitor<'_> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Shared>().is_none()
    }
}

impl Sentinel for CurrentUser<'_> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Shared>().is_none()
    }
}
