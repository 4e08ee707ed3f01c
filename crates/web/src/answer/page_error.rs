//! The answer to a request that does not get the page it asked for.
//!
//! A body says constant text and the request's id; causes go to the log.

use std::time::Duration;

use countersign_domain::StoreError;
use rocket::Request;
use rocket::http::{Method, Status};
use rocket::response::{self, Responder, Response};
use serde::Serialize;
use url::Url;

use crate::answer::flash::Flash;
use crate::answer::problem::problem;
use crate::answer::redirect::SeeOther;
use crate::answer::status;
use crate::guards::guard_error::GuardError;
use crate::render::page::page;
use crate::request::next::{Next, with_next};
use crate::request::wants::Wants;
use crate::site::Site;

/// Why a request does not get the page that it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageError {
    /// The page is for members, and nobody is logged in.
    LoginRequired,
    /// The page needs a fresh login, and this one is not.
    RefreshRequired,
    /// The address is for programs with a token, and none was shown.
    TokenRequired,
    /// Another site sent the request.
    CrossSite,
    /// People may not register themselves.
    RegistrationClosed,
    /// The store failed.
    Unavailable,
    /// Rocket or the application found something wrong.
    Status(Status),
}

/// What the page of an error shows.
#[derive(Serialize)]
struct ErrorView<'a> {
    status: u16,
    title: &'static str,
    text: &'static str,
    action: Option<Action<'a>>,
}

/// The way out.
#[derive(Serialize)]
struct Action<'a> {
    href: &'a str,
    label: &'static str,
}

impl PageError {
    /// There is nothing at this address.
    pub(crate) const NOT_FOUND: Self = Self::Status(status::NOT_FOUND);

    /// Logs that the store failed during a request; this is the only place that says the cause.
    pub(crate) fn outage(site: Site<'_>, error: &StoreError) -> Self {
        site.log_outage(error);
        Self::Unavailable
    }

    fn status(self) -> Status {
        match self {
            Self::LoginRequired | Self::RefreshRequired | Self::TokenRequired => {
                status::UNAUTHORIZED
            }
            Self::CrossSite | Self::RegistrationClosed => status::FORBIDDEN,
            Self::Unavailable => status::UNAVAILABLE,
            Self::Status(status) => status,
        }
    }

    /// Returns the title and the text that tell a person what is wrong.
    fn title_and_text(self) -> (&'static str, &'static str) {
        match (self, self.status().code) {
            (Self::CrossSite, _) => (
                "This came from another site",
                "Nothing was changed. Please go back to this site and try again from there.",
            ),
            (Self::RegistrationClosed, _) => (
                "Registration is closed",
                "New accounts are made by this site's administrator. Please ask them for one.",
            ),
            (Self::RefreshRequired, _) => {
                ("Please reauthenticate", "This needs a login that is only a few minutes old.")
            }
            (Self::TokenRequired, _) => {
                ("Token required", "Send a valid token: Authorization: Bearer <token>.")
            }
            (_, 400) => ("Bad request", "The request could not be read. Please try again."),
            (_, 401) => ("Please log in", "This page is for members only."),
            (_, 403) => ("Not allowed", "Your account may not do this."),
            (_, 404) => ("Page not found", "There is nothing at this address."),
            (_, 413) => ("Too much data", "What you sent is larger than any form on this site."),
            (_, 415) => ("Not a form", "This page accepts only data from a form."),
            (_, 422) => (
                "Check what you entered",
                "This page cannot accept what you sent. Please try again.",
            ),
            (_, 503) => (
                "Unavailable for a moment",
                "We cannot do this right now. Nothing was lost; please try again in a few seconds.",
            ),
            (_, 400..=499) => ("Request refused", "This site cannot answer the request."),
            _ => (
                "Something went wrong",
                "This is our fault, and it has been logged. Please try again later.",
            ),
        }
    }

    fn retry_after(self) -> Option<Duration> {
        (self.status() == status::UNAVAILABLE).then_some(Duration::from_secs(5))
    }
}

impl From<GuardError> for PageError {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::LoginRequired => Self::LoginRequired,
            GuardError::RefreshRequired => Self::RefreshRequired,
            GuardError::TokenRequired => Self::TokenRequired,
            GuardError::Unavailable => Self::Unavailable,
        }
    }
}

/// Answers as the guard would have: with the login page, `/reauthenticate`, or 503.
impl<'r> Responder<'r, 'static> for GuardError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        PageError::from(self).respond_to(request)
    }
}

impl<'r> Responder<'r, 'static> for PageError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let (status, (title, text)) = (self.status(), self.title_and_text());
        let site = Site::of(request);
        let gate = site.and_then(|site| Gate::of(self, site));
        // A program that sends tokens does not read pages.
        let is_for_programs = self == Self::TokenRequired;
        let wants = if is_for_programs { Wants::Json } else { Wants::of(request) };
        let mut response = match (wants, gate) {
            (Wants::Html, Some(gate)) => {
                gate.message.leave(gate.site);
                SeeOther::to(gate.url).respond_to(request)?
            }
            (Wants::Htmx, Some(gate)) => {
                Response::build().status(status).raw_header("HX-Redirect", gate.url).finalize()
            }
            (Wants::Html | Wants::Htmx, None) => {
                let href = site.map(|site| site.shared.paths.home.as_str());
                let action = href.map(|href| Action { href, label: "Go to the home page" });
                let error = ErrorView { status: status.code, title, text, action };
                let page = page("error/page.html", title, &Error { error });
                // A page that cannot be rendered must not lead to another attempt to render it.
                let page = page.respond_to(request).or_else(|_| text.respond_to(request))?;
                Response::build_from(page).status(status).finalize()
            }
            (Wants::Json, _) => problem(request, status, title, text, None),
        };
        if let Some(wait) = self.retry_after() {
            response.set_raw_header("Retry-After", wait.as_secs().to_string());
        }
        Ok(response)
    }
}

/// What the template of an error is given.
#[derive(Serialize)]
struct Error<'a> {
    error: ErrorView<'a>,
}

/// Returns the page of this site from which the browser sent a request, if it says so.
fn referring_page(site: Site<'_>) -> Option<Next> {
    let page = Url::parse(site.request.headers().get_one("Referer")?).ok()?;
    if !site.is_own_origin(&page.origin().ascii_serialization()) {
        return None;
    }
    Next::parse(&page[url::Position::BeforePath..url::Position::AfterQuery])
}

/// The page on which a visitor gets what they lack, and from which they come back.
struct Gate<'r> {
    site: Site<'r>,
    url: String,
    message: Flash,
}

impl<'r> Gate<'r> {
    fn of(error: PageError, site: Site<'r>) -> Option<Self> {
        let here = site.request.uri().to_string();
        let (page, message) = match error {
            PageError::LoginRequired => (site.login_view(&here), Flash::LoginRequired),
            PageError::RefreshRequired => (&*site.paths.refresh, Flash::RefreshRequired),
            _ => return None,
        };
        // Only a page that was asked for with GET can be asked for again. A form is on the page before it.
        let next = match site.request.method() {
            Method::Get => Next::parse(&here),
            _ => referring_page(site),
        };
        Some(Self { site, url: with_next(page, next.as_ref()), message })
    }
}
