//! An axum service that knows who is logged in to a Rocket site. It reads the same cookie and asks the same
//! database.

use axum::Router;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{CACHE_CONTROL, COOKIE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use countersign_auth::domain::{Client, SecretToken};
use countersign_auth::{Auth, Authenticated, Caller};

/// The name of the session cookie on `http`. If the Rocket site uses `https`, it is `__Host-session`.
pub const SESSION_COOKIE: &str = "session";

/// Builds the service. All handlers may take [`CurrentUser`].
pub fn app(auth: Auth) -> Router {
    Router::new().route("/", get(who_am_i)).with_state(auth)
}

async fn who_am_i(CurrentUser(me): CurrentUser) -> impl IntoResponse {
    let fresh = if me.is_fresh { "fresh" } else { "not fresh" };
    let text = format!("You are {}. Your login is {fresh}.\n", me.user.username);
    // No cache may store a page that is meant for one person.
    ([(CACHE_CONTROL, "no-store")], text)
}

/// The logged-in user. Only members can call a handler that takes this.
#[derive(Clone, Debug)]
pub struct CurrentUser(pub Authenticated);

/// The reason why a handler for members was not called.
#[derive(Clone, Copy, Debug)]
pub enum Refused {
    /// Nobody is logged in.
    Anonymous,
    /// The database cannot be asked. This does not mean that nobody is logged in.
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
        // The User-Agent must be the same here as at the Rocket site. Otherwise the session seems to come
        // from another browser, and is no longer fresh.
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let caller = Caller::visitor(Client::new(None, agent));
        let found = Auth::from_ref(state).by(&caller).authenticate(&token).await;
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

/// Returns the value of the cookie called exactly `name`, if there is only one. Of two cookies, an attacker
/// may have set either.
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
