//! A service on axum that knows who is logged in to a Rocket site: it reads the same cookie and asks
//! the same database.

use axum::Router;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{CACHE_CONTROL, COOKIE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use countersign_auth::domain::{Client, SecretToken};
use countersign_auth::{Auth, Authenticated, Caller};

/// The cookie of a site on `http`. Where the Rocket site is on `https`, it is `__Host-session`.
pub const SESSION_COOKIE: &str = "session";

/// The service. All of its routes may take [`CurrentUser`].
pub fn app(auth: Auth) -> Router {
    Router::new().route("/", get(who_am_i)).with_state(auth)
}

async fn who_am_i(CurrentUser(me): CurrentUser) -> impl IntoResponse {
    let fresh = if me.is_fresh { "fresh" } else { "not fresh" };
    let text = format!("You are {}. Your login is {fresh}.\n", me.user.username);
    // What only one person may see, no cache may keep.
    ([(CACHE_CONTROL, "no-store")], text)
}

/// The logged-in user. A handler that takes this is for members only.
#[derive(Clone, Debug)]
pub struct CurrentUser(pub Authenticated);

/// Why a handler for members only was not called.
#[derive(Clone, Copy, Debug)]
pub enum Refused {
    /// Nobody is logged in.
    Anonymous,
    /// The database cannot say. That is not the same as nobody.
    Unavailable,
}

impl<S> FromRequestParts<S> for CurrentUser
where
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let shown = only_cookie(&parts.headers, SESSION_COOKIE).ok_or(Refused::Anonymous)?;
        let token = SecretToken::parse(shown).map_err(|_| Refused::Anonymous)?;
        // What the browser calls itself must arrive here as it arrives at the Rocket site: a session
        // that shows up in another browser is not fresh there.
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let caller = Caller::visitor(Client::new(None, agent));
        let found = Auth::from_ref(state).authenticate(&token, &caller).await;
        let known = found.map_err(|_| Refused::Unavailable)?;
        known.map(Self).ok_or(Refused::Anonymous)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let never = (CACHE_CONTROL, "no-store");
        match self {
            Self::Anonymous => {
                (StatusCode::UNAUTHORIZED, [never], "Please log in.\n").into_response()
            }
            Self::Unavailable => {
                let headers = [never, (RETRY_AFTER, "5")];
                (StatusCode::SERVICE_UNAVAILABLE, headers, "Try again later.\n").into_response()
            }
        }
    }
}

/// The value of the one cookie called exactly `name`. Two of them are none: one may have been set by
/// somebody else, and nothing tells which.
fn only_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let (found, value) =
            std::str::from_utf8(pair).ok()?.trim_matches([' ', '\t']).split_once('=')?;
        (found == name).then_some(value)
    });
    values.next().filter(|_| values.next().is_none())
}
