//! Keeps other sites from making a visitor's browser change anything here.
//!
//! Browsers say where a request comes from: in `Sec-Fetch-Site`, or at least in `Origin`. A request
//! with an unsafe method that comes from elsewhere is answered 403 before any route sees it. A
//! client that sends neither header is not a browser, and has no cookies that another site could
//! use.

use rocket::http::Method;
use rocket::outcome::Outcome;
use rocket::route::{self, Handler, Route};
use rocket::{Data, Request, async_trait};

use crate::answer::page_error::PageError;
use crate::answer::status;
use crate::request::caller::warn;
use crate::site::Site;

/// Undoes what Rocket makes of a form field called `_method`: it lets a form choose the method of
/// its request before any other code can look at it.
pub(crate) async fn restore_method(request: &mut Request<'_>, data: &mut Data<'_>) {
    if request.method() == Method::Post || !request.content_type().is_some_and(|ct| ct.is_form()) {
        return;
    }
    // Rocket looks no further: it uses the value of the first field.
    let start = data.peek("_method=delete&".len()).await;
    let first = start.split(|b| *b == b'&').next().unwrap_or_default();
    if form_urlencoded::parse(first).next().is_some_and(|(name, _)| name == "_method") {
        request.set_method(Method::Post);
    }
}

/// Returns routes that come before all others and refuse what comes from another site.
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
        match Site::of(request) {
            Some(site) if is_same_site(site) => Outcome::Forward((data, status::NO_ROUTE)),
            site => {
                // Somebody made a browser send this: its user is under attack (ASVS 16.3.3).
                if let Some(site) = site {
                    warn(&site.caller(), "a request from another site was refused");
                }
                Outcome::from(request, PageError::CrossSite)
            }
        }
    }
}

fn is_same_site(site: Site<'_>) -> bool {
    let headers = site.request.headers();
    let mut fetch_sites = headers.get("Sec-Fetch-Site").peekable();
    if fetch_sites.peek().is_some() {
        return fetch_sites.all(|site| matches!(site, "same-origin" | "none"));
    }
    headers.get("Origin").all(|origin| site.is_own_origin(origin))
}
