use rocket::Request;
use rocket::http::Status;
use tokio::sync::OnceCell;

use crate::answer::status;

/// Why a guard let nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// Nobody is logged in.
    #[error("nobody is logged in")]
    LoginRequired,
    /// The login is not fresh.
    #[error("the login is not fresh")]
    RefreshRequired,
    /// The request has no bearer token of a live session.
    #[error("the request has no valid bearer token")]
    TokenRequired,
    /// The store cannot say whether anybody is logged in.
    #[error("the store is unavailable")]
    Unavailable,
}

/// Why one of our guards refused a request, for the catcher that answers it.
#[derive(Default)]
struct Refused(OnceCell<GuardError>);

impl GuardError {
    /// Returns why one of our guards refused `request`, if one did.
    pub(crate) fn of(request: &Request<'_>) -> Option<Self> {
        request.local_cache(Refused::default).0.get().copied()
    }

    /// Notes for the catcher that a guard refused `request`, and returns what the guard fails with.
    pub(crate) fn refuse(self, request: &Request<'_>) -> (Status, Self) {
        // Only the first refusal is answered.
        let _ = request.local_cache(Refused::default).0.set(self);
        (self.status(), self)
    }

    fn status(self) -> Status {
        match self {
            Self::LoginRequired | Self::RefreshRequired | Self::TokenRequired => {
                status::UNAUTHORIZED
            }
            Self::Unavailable => status::UNAVAILABLE,
        }
    }
}
