//! Every status code that this crate chooses, by its reason.

use rocket::http::Status;

/// A form was accepted, or something else must be done first: the browser loads another page.
pub(crate) const SEE_OTHER: Status = Status::SeeOther;

/// A form cannot be decoded.
pub(crate) const FORM_MALFORMED: Status = Status::BadRequest;
/// A form is larger than any form of ours can be.
pub(crate) const FORM_TOO_LARGE: Status = Status::PayloadTooLarge;
/// A body is not a form.
pub(crate) const NOT_A_FORM: Status = Status::UnsupportedMediaType;

/// A field of a form is not acceptable.
pub(crate) const INVALID: Status = Status::UnprocessableEntity;
/// A value that must be unique is taken.
pub(crate) const TAKEN: Status = Status::Conflict;
/// There were too many attempts.
pub(crate) const THROTTLED: Status = Status::TooManyRequests;

/// Nobody has proved, or not recently enough, who they are.
pub(crate) const UNAUTHORIZED: Status = Status::Unauthorized;
/// Nobody may do this.
pub(crate) const FORBIDDEN: Status = Status::Forbidden;
/// There is nothing at this address.
pub(crate) const NOT_FOUND: Status = Status::NotFound;
/// What Rocket answers when a request is forwarded and no other route takes it.
pub(crate) const NO_ROUTE: Status = Status::NotFound;

/// A template cannot be rendered.
pub(crate) const NOT_RENDERED: Status = Status::InternalServerError;
/// The application did not attach the fairing, and a sentinel did not notice.
pub(crate) const NOT_ATTACHED: Status = Status::InternalServerError;
/// The store failed, or there is too much to do at once.
pub(crate) const UNAVAILABLE: Status = Status::ServiceUnavailable;
