use std::ops::Deref;

use countersign_auth::Authenticated;
use countersign_domain::{SecretToken, Session, User};
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::guards::admission::tell;
use crate::guards::guard_error::GuardError;
use crate::guards::visitor::Visitor;
use crate::site::Site;

/// The user whose program sends a session's token as a bearer token (RFC 6750, section 2.1):
/// `Authorization: Bearer …`, with the token that [`log_in`](countersign_auth::Acting::log_in) returned.
/// This is Flask-Login's `request_loader`. Cookies are ignored here, so no browser can be made to
/// send it.
///
/// | who asks | outcome |
/// |---|---|
/// | a program with the token of a live session | success |
/// | anybody else | error, 401: a problem with `WWW-Authenticate: Bearer`, never a redirect |
/// | anybody, while the store cannot say | error, 503 |
///
/// It dereferences to [`User`].
#[derive(Clone, Debug)]
pub struct ApiUser(Authenticated);

impl ApiUser {
    /// Returns the session that the token belongs to.
    pub fn session(&self) -> &Session {
        &self.0.session
    }

    async fn of(request: &Request<'_>) -> Result<Self, GuardError> {
        let site = Site::of(request).ok_or(GuardError::Unavailable)?;
        let found = match bearer(request) {
            Some(token) => {
                site.auth.by(&site.caller()).authenticate(&token).await.map_err(|error| {
                    site.log_outage(&error);
                    GuardError::Unavailable
                })?
            }
            None => None,
        };
        found.map(Self).ok_or_else(|| {
            tell(site, GuardError::TokenRequired, Visitor::Anonymous);
            GuardError::TokenRequired
        })
    }
}

/// Returns the only bearer token of a request.
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
            Err(error) => Outcome::Error(error.refuse(request)),
        }
    }
}
