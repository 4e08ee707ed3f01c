//! No other site can make a visitor's browser change anything here.
//!
//! Browsers say where a request comes from: `Sec-Fetch-Site`, or at least `Origin`. A request with
//! an unsafe method that comes from elsewhere is answered 403 before any route sees it. Who sends
//! neither is not a browser, and has no cookies that another could make use of.

use rocket::http::{Method, Status};
use rocket::outcome::Outcome;
use rocket::route::{self, Handler, Route};
use rocket::{Data, Request, async_trait};

use crate::caller::{caller, warn};
use crate::error::PageError;
use crate::state::Shared;

/// Undoes what Rocket makes of a form field called `_method`: it lets a form choose the method of
/// its request before anybody can look at it.
pub(crate) async fn restore_method(request: &mut Request<'_>, data: &mut Data<'_>) {
    if request.method() == Method::Post || !request.content_type().is_some_and(|ct| ct.is_form()) {
        return;
    }
    // As far as Rocket looks: it takes over the value of the first field.
    let start = data.peek("_method=delete&".len()).await;
    let first = start.split(|b| *b == b'&').next().unwrap_or_default();
    if form_urlencoded::parse(first).next().is_some_and(|(name, _)| name == "_method") {
        request.set_method(Method::Post);
    }
}

/// Routes that come before all others and answer what comes from another site.
pub(crate) fn sentry_routes() -> Vec<Route> {
    let methods = [Method::Post, Method::Put, Method::Patch, Method::Delete];
    let route = |method| Route::ranked(isize::MIN, method, "/<_..>", Sentry);
    methods.into_iter().map(route).collect()
}

#[derive(Clone)]
struct Sentry;

#[async_trait]
impl Handler for Sentry {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> route::Outcome<'r> {
        match request.rocket().state::<Shared>() {
            Some(shared) if is_same_site(request, shared) => {
                Outcome::Forward((data, Status::NotFound))
            }
            shared => {
                // A browser was made to try: somebody attacks its user (ASVS 16.3.3).
                if let Some(shared) = shared {
                    warn(&caller(request, shared), "a request from another site was refused");
                }
                Outcome::from(request, PageError::CrossSite)
            }
        }
    }
}

fn is_same_site(request: &Request<'_>, shared: &Shared) -> bool {
    let headers = request.headers();
    let mut fetch_sites = headers.get("Sec-Fetch-Site").peekable();
    if fetch_sites.peek().is_some() {
        return fetch_sites.all(|site| matches!(site, "same-origin" | "none"));
    }
    headers.get("Origin").all(|origin| shared.is_own_origin(origin))
}
