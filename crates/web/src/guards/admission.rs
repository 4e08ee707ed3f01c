use std::ops::Deref;

use countersign_auth::AuthEventKind;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::guards::current_user::CurrentUser;
use crate::guards::guard_error::GuardError;
use crate::guards::visitor::Visitor;
use crate::site::Site;

/// The logged-in user, who proved who they are a short while ago. It is for what somebody who finds
/// an open browser must not be able to do.
///
/// | who asks | outcome |
/// |---|---|
/// | a user whose login is fresh | success |
/// | a user whose login is not fresh, or who was only remembered | error, 401: a browser is sent to `/reauthenticate` and comes back; JSON and htmx as with [`CurrentUser`] |
/// | an anonymous visitor | as with [`CurrentUser`] |
/// | anybody, while the store cannot say | error, 503 |
///
/// It dereferences to [`CurrentUser`].
#[derive(Clone, Copy, Debug)]
pub struct FreshLogin<'r>(CurrentUser<'r>);

/// What a route requires of its visitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Login,
    FreshLogin,
}

/// Returns the user, if they have what a route needs. A refusal is noted for the catcher, and
/// listeners hear of it.
pub(crate) async fn admit<'r>(
    request: &'r Request<'_>,
    need: Need,
) -> Result<CurrentUser<'r>, (Status, GuardError)> {
    let admitted = match Site::of(request) {
        Some(site) => {
            let visitor = Visitor::of(site).await;
            admitted(visitor, need).inspect_err(|error| tell(site, *error, visitor))
        }
        None => Err(GuardError::Unavailable),
    };
    admitted.map_err(|error| error.refuse(request))
}

fn admitted(visitor: Visitor<'_>, need: Need) -> Result<CurrentUser<'_>, GuardError> {
    match visitor {
        Visitor::User(user) if need == Need::FreshLogin && !user.is_fresh() => {
            Err(GuardError::RefreshRequired)
        }
        Visitor::User(user) => Ok(user),
        Visitor::Anonymous => Err(GuardError::LoginRequired),
        Visitor::Unavailable => Err(GuardError::Unavailable),
    }
}

/// Lets a user on to a form that asks for their password, which is proof enough. One who has none needs a
/// fresh login.
pub(crate) fn admit_to_proof(site: Site<'_>, me: CurrentUser<'_>) -> Result<(), GuardError> {
    if me.has_password() { Ok(()) } else { admit_fresh(site, me) }
}

/// Lets a user on whose login is fresh.
pub(crate) fn admit_fresh(site: Site<'_>, me: CurrentUser<'_>) -> Result<(), GuardError> {
    admitted(Visitor::User(me), Need::FreshLogin).map(drop).inspect_err(|error| {
        tell(site, *error, Visitor::User(me));
    })
}

/// Tells listeners that a guard let nobody in.
pub(crate) fn tell(site: Site<'_>, error: GuardError, visitor: Visitor<'_>) {
    let kind = match error {
        GuardError::LoginRequired | GuardError::TokenRequired => AuthEventKind::UserUnauthorized,
        GuardError::RefreshRequired => AuthEventKind::UserNeedsRefresh,
        GuardError::Unavailable => return,
    };
    let (user, session) = match visitor {
        Visitor::User(user) => (Some(user.id), Some(user.session().id)),
        Visitor::Anonymous => (None, None),
        Visitor::Unavailable => return,
    };
    site.auth.by(&site.caller()).tell(kind, user, session);
}

impl<'r> Deref for FreshLogin<'r> {
    type Target = CurrentUser<'r>;

    fn deref(&self) -> &CurrentUser<'r> {
        &self.0
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
