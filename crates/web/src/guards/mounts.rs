use std::borrow::Cow;

use rocket::outcome::Outcome;
use rocket::route::{self, Handler, Route};
use rocket::{Data, Request, async_trait};

use crate::guards::admission::{Need, admit};

/// What each kind of mount puts before the names of its routes, for the check at launch.
const MEMBERS: &str = "members only: ";
const FRESH: &str = "fresh login only: ";
const PUBLIC: &str = "public: ";

/// Makes routes for members only, whatever their handlers require: Flask-Login's `@login_required`
/// for a whole mount. Each route answers as if its first guard were
/// [`CurrentUser`](crate::CurrentUser).
///
/// ```
/// # #[macro_use] extern crate rocket;
/// use countersign_web::login_required;
///
/// #[get("/monthly")]
/// fn monthly() -> &'static str {
///     "Only members see this."
/// }
///
/// # fn rocket() -> rocket::Rocket<rocket::Build> {
/// rocket::build().mount("/reports", login_required(routes![monthly]))
/// # }
/// # fn main() {}
/// ```
pub fn login_required(routes: Vec<Route>) -> Vec<Route> {
    guarded(routes, Need::Login, MEMBERS)
}

/// Makes routes for members with a fresh login only, whatever their handlers require: Flask-Login's
/// `@fresh_login_required` for a whole mount. Each route answers as if its first guard were
/// [`FreshLogin`](crate::FreshLogin).
pub fn fresh_login_required(routes: Vec<Route>) -> Vec<Route> {
    guarded(routes, Need::FreshLogin, FRESH)
}

/// Declares that routes are for everybody, which
/// [`AuthPages::require_declared_mounts`](crate::AuthPages::require_declared_mounts) checks. They
/// answer as before.
pub fn public(routes: Vec<Route>) -> Vec<Route> {
    routes.into_iter().map(|route| marked(route, PUBLIC)).collect()
}

/// Returns whether a route was declared by one of these functions.
pub(crate) fn is_declared(route: &Route) -> bool {
    let name = route.name.as_deref().unwrap_or_default();
    [MEMBERS, FRESH, PUBLIC].iter().any(|mark| name.starts_with(mark))
}

fn guarded(routes: Vec<Route>, need: Need, mark: &str) -> Vec<Route> {
    let guard = |mut route: Route| {
        route.handler = Box::new(Guarded { need, inner: route.handler.clone() });
        marked(route, mark)
    };
    routes.into_iter().map(guard).collect()
}

fn marked(mut route: Route, mark: &str) -> Route {
    let name = route.name.as_deref().unwrap_or("unnamed");
    route.name = Some(Cow::Owned(format!("{mark}{name}")));
    route
}

#[derive(Clone)]
struct Guarded {
    need: Need,
    inner: Box<dyn Handler>,
}

#[async_trait]
impl Handler for Guarded {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> route::Outcome<'r> {
        match admit(request, self.need).await {
            Ok(_) => self.inner.handle(request, data).await,
            Err((status, _)) => Outcome::Error(status),
        }
    }
}
