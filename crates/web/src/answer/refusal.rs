use countersign_auth::ConfirmError;
use rocket::Request;
use rocket::response::{self, Responder, Response};

use crate::answer::page_error::PageError;
use crate::answer::problem::problem;
use crate::answer::reason::Reason;
use crate::guards::guard_error::GuardError;
use crate::render::form::{Form, FormPage};
use crate::render::wording;
use crate::request::wants::Wants;
use crate::site::Site;

/// The answer to a form that was not accepted: the form again with what is wrong, or another page.
pub(crate) enum Refusal<P: FormPage> {
    /// The form again.
    Form(Reason, Form<P>),
    /// An error page, without the form.
    Page(PageError),
}

/// The errors of a form's fields, which know what a use case's error means for them.
pub(crate) trait Explain<Error> {
    /// Puts texts at the fields that `error` is about, and returns why the form was not accepted.
    fn explain(&mut self, error: Error) -> Reason;
}

impl<P: FormPage> Refusal<P> {
    /// Refuses `form` because of `error`.
    pub(crate) fn of<E>(site: Site<'_>, mut form: Form<P>, error: E) -> Self
    where
        P::Errors: Explain<E>,
    {
        match form.errors.explain(error) {
            Reason::Ended => Self::Page(PageError::LoginRequired),
            Reason::NotFresh => Self::Page(PageError::RefreshRequired),
            Reason::Outage(error) => Self::Page(PageError::outage(site, &error)),
            reason => {
                form.message = reason.message();
                Self::Form(reason, form)
            }
        }
    }
}

/// The errors of the field in which users confirm who they are with their password.
impl Explain<ConfirmError> for Vec<String> {
    fn explain(&mut self, error: ConfirmError) -> Reason {
        match error {
            ConfirmError::Invalid(error) => {
                self.push(wording::password(error));
                Reason::Invalid
            }
            ConfirmError::WrongPassword => {
                self.push(wording::WRONG_PASSWORD.to_owned());
                Reason::WrongPassword
            }
            ConfirmError::WrongCode => {
                self.push(wording::WRONG_CODE.to_owned());
                Reason::WrongCode
            }
            ConfirmError::NotFresh => Reason::NotFresh,
            ConfirmError::Ended => Reason::Ended,
            ConfirmError::Throttled(throttled) => Reason::Throttled(throttled.retry_after),
            ConfirmError::Overloaded(overloaded) => Reason::Overloaded(overloaded.retry_after),
            ConfirmError::Store(error) => Reason::Outage(error),
            _ => Reason::Invalid,
        }
    }
}

impl<P: FormPage> From<PageError> for Refusal<P> {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl<P: FormPage> From<GuardError> for Refusal<P> {
    fn from(error: GuardError) -> Self {
        Self::Page(error.into())
    }
}

impl<'r, P: FormPage> Responder<'r, 'static> for Refusal<P> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let (reason, form) = match self {
            Self::Form(reason, form) => (reason, form),
            Self::Page(error) => return error.respond_to(request),
        };
        let status = reason.status();
        let mut response = if Wants::of(request) == Wants::Json {
            let detail = form.message.as_deref().unwrap_or(wording::INVALID_FIELDS);
            let title = status.reason().unwrap_or("Refused");
            problem(request, status, title, detail, form.field_errors())
        } else {
            Response::build_from(form.respond_to(request)?).status(status).finalize()
        };
        if let Some(wait) = reason.retry_after() {
            response.set_raw_header("Retry-After", wait.as_secs().to_string());
        }
        Ok(response)
    }
}
