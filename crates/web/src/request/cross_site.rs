//! Keeps other sites from making a visitor's browser change anything here.
//!
//! Browsers say where a request comes from: in `Sec-Fetch-Site`, or at least in `Origin`. A request
//! with an unsafe method that comes from elsewhere is answered 403 before any route sees it. A
//! client that sends neither header is not a browser, and has no cookies that another site could
//! use.

use rocket::form::Form;
use rocket::http::Method;
use rocket::outcome::Outcome;
use rocket::route::{self, Handler, Route};
use rocket::{Data, Request, async_trait};

use crate::answer::page_error::PageError;
use crate::answer::status;
use crate::request::caller::warn;
use crate::site::Site;

/// The form field by which Rocket lets a form choose the method of its request.
pub(crate) const METHOD_FIELD: &str = "_method";

/// Whether a form has tried to choose the method of its request.
struct ChoosesMethod(bool);

/// Notes that a form tries to choose the method of its request, which Rocket has granted before any other
/// code can look at it. Whatever the method was, the request goes to the [`Sentry`], which refuses it.
pub(crate) async fn note_method_field(request: &mut Request<'_>, data: &mut Data<'_>) {
    if !request.content_type().is_some_and(|content_type| content_type.is_form()) {
        return;
    }
    // Rocket looks no further, and skips empty fields as this parser does.
    let start = data.peek("_method=delete".len()).await;
    let first = form_urlencoded::parse(start).next();
    let is_named = first.is_some_and(|(name, _)| name == METHOD_FIELD);
    // To Rocket, `_method[]` and `._method` are the same field.
    let rockets = std::str::from_utf8(start).ok().and_then(|start| Form::values(start).next());
    if is_named || rockets.is_some_and(|field| field.name == METHOD_FIELD) {
        request.set_method(Method::Post);
        request.local_cache(|| ChoosesMethod(true));
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
            Some(site) if is_same_site(site) => {
                match request.local_cache(|| ChoosesMethod(false)) {
                    ChoosesMethod(true) => {
                        Outcome::from(request, PageError::Status(status::FORM_MALFORMED))
                    }
                    ChoosesMethod(false) => Outcome::Forward((data, status::NO_ROUTE)),
                }
            }
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
