use std::time::Duration;

use countersign_domain::StoreError;
use rocket::http::Status;

use crate::answer::status;
use crate::render::wording;

/// Why a form was not accepted.
#[derive(Debug)]
pub(crate) enum Reason {
    /// A field is not acceptable.
    Invalid,
    /// The email address or the password is wrong.
    WrongCredentials,
    /// The password is not that of the user who is logged in.
    WrongPassword,
    /// The code is not one of the user's second factor.
    WrongCode,
    /// The login is not fresh, and nothing else was shown.
    NotFresh,
    /// A value that must be unique is taken.
    Taken,
    /// Somebody is logged in already: the user of this name.
    LoggedInAs(String),
    /// There were too many attempts; the next one is possible after this time.
    Throttled(Duration),
    /// There is too much to do at once; another attempt makes sense after this time.
    Overloaded(Duration),
    /// The session ended meanwhile.
    Ended,
    /// The store failed.
    Outage(StoreError),
}

impl Reason {
    /// Returns the status with which the form is shown again.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Invalid => status::INVALID,
            Self::WrongCredentials
            | Self::WrongPassword
            | Self::WrongCode
            | Self::NotFresh
            | Self::Ended => status::UNAUTHORIZED,
            Self::Taken | Self::LoggedInAs(_) => status::TAKEN,
            Self::Throttled(_) => status::THROTTLED,
            Self::Overloaded(_) | Self::Outage(_) => status::UNAVAILABLE,
        }
    }

    /// Returns the message above the form; the error of a field is shown at the field.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Self::WrongCredentials => Some(wording::WRONG_CREDENTIALS.to_owned()),
            Self::Throttled(wait) => Some(wording::too_many_attempts(*wait)),
            Self::Overloaded(_) => Some(wording::BUSY.to_owned()),
            Self::LoggedInAs(name) => Some(wording::logged_in_as(name)),
            _ => None,
        }
    }

    /// Returns when to try again, if the client should wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled(wait) | Self::Overloaded(wait) => Some(*wait),
            _ => None,
        }
    }
}
