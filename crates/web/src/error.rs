//! Every answer that is not what was asked for, and the only place with status codes for them.
//!
//! A body says constant text and the request's id; causes go to the log.

use std::time::Duration;

use countersign_domain::StoreError;
use rocket::http::{ContentType, Status};
use rocket::response::{self, Responder, Response};
use rocket::{Request, async_trait, catcher};
use serde::Serialize;
use serde_json::{Value, json};

use crate::flash::Flash;
use crate::guards::{GuardError, refusal};
use crate::identity::log_outage;
use crate::next::{Next, with_next};
use crate::request_id;
use crate::state::Shared;
use crate::views::{ErrorView, Page, View};
use crate::wants::Wants;
use crate::wording;

/// An answer that is not the page asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageError {
    /// Only for members, and nobody is logged in.
    LoginRequired,
    /// Only for a fresh login, and this one is not.
    RefreshRequired,
    /// Only for programs with a token, and none was shown.
    TokenRequired,
    /// Another site sent this.
    CrossSite,
    /// People may not register themselves.
    RegistrationClosed,
    /// The store failed.
    Unavailable,
    /// Whatever Rocket or the application found wrong.
    Status(Status),
}

/// What an error says to a person.
struct Words {
    title: &'static str,
    text: &'static str,
}

impl PageError {
    /// There is nothing at this address.
    pub(crate) const NOT_FOUND: Self = Self::Status(Status::NotFound);

    /// A store failed while `request` was worked on. The cause is logged here, once.
    pub(crate) fn outage(error: &StoreError, request: &Request<'_>) -> Self {
        log_outage(error, request);
        Self::Unavailable
    }

    fn status(self) -> Status {
        match self {
            Self::LoginRequired | Self::RefreshRequired | Self::TokenRequired => {
                Status::Unauthorized
            }
            Self::CrossSite | Self::RegistrationClosed => Status::Forbidden,
            Self::Unavailable => Status::ServiceUnavailable,
            Self::Status(status) => status,
        }
    }

    fn words(self) -> Words {
        let (title, text) = match (self, self.status().code) {
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
                ("Token required", "Show a valid token: Authorization: Bearer <token>.")
            }
            (_, 400) => {
                ("That did not make sense", "The request could not be read. Please try again.")
            }
            (_, 401) => ("Please log in", "This page is for members only."),
            (_, 403) => ("Not allowed", "Your account may not do this."),
            (_, 404) => ("Page not found", "There is nothing at this address."),
            (_, 413) => {
                ("That is too much", "What was sent is larger than a form on this site can be.")
            }
            (_, 415) => ("Not a form", "What was sent is not of the kind that this page takes."),
            (_, 422) => ("That did not fit", "What was sent does not fit what this page takes."),
            (_, 503) => (
                "Unavailable for a moment",
                "We cannot do this right now. Nothing was lost; please try again in a few seconds.",
            ),
            (_, 400..=499) => ("That did not work", "The request was refused."),
            _ => (
                "Something went wrong",
                "It is our fault, and it has been noted. Please try again later.",
            ),
        };
        Words { title, text }
    }

    fn retry_after(self) -> Option<Duration> {
        (self.status() == Status::ServiceUnavailable).then_some(Duration::from_secs(5))
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
        let (status, words) = (self.status(), self.words());
        let shared = request.rocket().state::<Shared>();
        let gate = shared.and_then(|shared| Gate::of(self, request, shared));
        // A program that shows tokens reads no pages.
        let is_for_programs = self == Self::TokenRequired;
        let wants = if is_for_programs { Wants::Json } else { Wants::of(request) };
        let mut response = match (wants, gate) {
            (Wants::Html, Some(gate)) => {
                gate.message.leave(request, gate.shared);
                Response::build()
                    .status(Status::SeeOther)
                    .raw_header("Location", gate.url)
                    .finalize()
            }
            (Wants::Htmx, Some(gate)) => {
                Response::build().status(status).raw_header("HX-Redirect", gate.url).finalize()
            }
            (Wants::Html | Wants::Htmx, None) => {
                let home = shared.map(|shared| shared.paths.home.as_str());
                let page = Page(ErrorView::new(status.code, words.title, words.text, home));
                // A page that cannot be rendered must not end in another attempt to render it.
                let page = page.respond_to(request).or_else(|_| words.text.respond_to(request))?;
                Response::build_from(page).status(status).finalize()
            }
            (Wants::Json, _) => problem(request, status, words.title, words.text, None),
        };
        if let Some(wait) = self.retry_after() {
            response.set_raw_header("Retry-After", wait.as_secs().to_string());
        }
        Ok(response)
    }
}

/// The page on which a visitor gets what they lack, and from which they come back.
struct Gate<'r> {
    shared: &'r Shared,
    url: String,
    message: Flash,
}

impl<'r> Gate<'r> {
    fn of(error: PageError, request: &Request<'_>, shared: &'r Shared) -> Option<Self> {
        let here = request.uri().to_string();
        let (page, message) = match error {
            PageError::LoginRequired => (shared.login_view(&here), Flash::LoginRequired),
            PageError::RefreshRequired => (&*shared.paths.refresh, Flash::RefreshRequired),
            _ => return None,
        };
        // Only what was asked for with GET can be asked for again.
        let is_get = request.method() == rocket::http::Method::Get;
        let next = is_get.then(|| Next::parse(&here)).flatten();
        Some(Self { shared, url: with_next(page, next.as_ref()), message })
    }
}

/// A problem (RFC 9457).
fn problem(
    request: &Request<'_>,
    status: Status,
    title: &str,
    detail: &str,
    errors: Option<Value>,
) -> Response<'static> {
    let mut body = json!({
        "type": "about:blank",
        "title": title,
        "status": status.code,
        "detail": detail,
        "request_id": request_id::of(request),
    });
    if let (Some(errors), Some(members)) = (errors, body.as_object_mut()) {
        members.insert("errors".to_owned(), errors);
    }
    let body = body.to_string();
    let mut response = Response::build();
    response
        .status(status)
        .header(ContentType::new("application", "problem+json"))
        .sized_body(body.len(), std::io::Cursor::new(body));
    if status == Status::Unauthorized {
        response.raw_header("WWW-Authenticate", "Bearer");
    }
    response.finalize()
}

/// Why a form was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// A field is not acceptable.
    Invalid,
    /// The credentials are wrong.
    WrongCredentials,
    /// The password of the user who is logged in is another.
    WrongPassword,
    /// What must be unique is taken.
    Taken,
    /// Too many tries; the next one is let in after so long.
    Throttled(Duration),
    /// Too much at once; try again after so long.
    Overloaded(Duration),
}

impl Rejection {
    fn status(self) -> Status {
        match self {
            Self::Invalid => Status::UnprocessableEntity,
            Self::WrongCredentials | Self::WrongPassword => Status::Unauthorized,
            Self::Taken => Status::Conflict,
            Self::Throttled(_) => Status::TooManyRequests,
            Self::Overloaded(_) => Status::ServiceUnavailable,
        }
    }

    /// What it says above the form; an error of a field stands at the field.
    pub(crate) fn message(self) -> Option<String> {
        let message = match self {
            Self::Invalid | Self::Taken | Self::WrongPassword => return None,
            Self::WrongCredentials => "Invalid email or password.".to_owned(),
            Self::Throttled(wait) => {
                format!("Too many attempts. Please try again in {}.", wording::wait(wait))
            }
            Self::Overloaded(_) => {
                "Very many people are here right now. Please try again in a few seconds.".to_owned()
            }
        };
        Some(message)
    }
}

/// What a form is answered that was not accepted: the form again with what is wrong, or another
/// page.
pub(crate) enum Refusal<V> {
    /// The form again.
    Form(Rejection, V),
    /// Not even the form.
    Page(PageError),
}

impl<V> From<PageError> for Refusal<V> {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl<V> From<GuardError> for Refusal<V> {
    fn from(error: GuardError) -> Self {
        Self::Page(error.into())
    }
}

impl<'r, V: View> Responder<'r, 'static> for Refusal<V> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let (rejection, view) = match self {
            Self::Form(rejection, view) => (rejection, view),
            Self::Page(error) => return error.respond_to(request),
        };
        let status = rejection.status();
        let mut response = if Wants::of(request) == Wants::Json {
            let detail = rejection.message();
            let detail = detail.as_deref().unwrap_or("Some fields are not acceptable.");
            let title = status.reason().unwrap_or("Refused");
            problem(request, status, title, detail, view.errors())
        } else {
            Response::build_from(Page(view).respond_to(request)?).status(status).finalize()
        };
        if let Rejection::Throttled(wait) | Rejection::Overloaded(wait) = rejection {
            response.set_raw_header("Retry-After", wait.as_secs().to_string());
        }
        Ok(response)
    }
}

/// Only those fields of `errors` that have any.
pub(crate) fn without_empty(errors: impl Serialize) -> Option<Value> {
    let mut errors = serde_json::to_value(errors).ok()?;
    errors.as_object_mut()?.retain(|_, texts| texts.as_array().is_some_and(|t| !t.is_empty()));
    Some(errors)
}

/// Answers whatever no route has answered, in the site's own look or as a problem.
#[derive(Clone)]
pub(crate) struct Catch;

#[async_trait]
impl catcher::Handler for Catch {
    async fn handle<'r>(&self, status: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        let error = match (status, refusal(request)) {
            // An application's own 401 is about other credentials than ours.
            (Status::Unauthorized, Some(refused)) => refused.into(),
            (Status::ServiceUnavailable, _) => PageError::Unavailable,
            (other, _) => PageError::Status(other),
        };
        if status.class().is_server_error() {
            let request_id = request_id::of(request);
            tracing::error!(status = status.code, request_id, "a request failed");
        }
        error.respond_to(request)
    }
}
