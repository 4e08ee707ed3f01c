use rocket::http::Status;
use rocket::response::Responder;
use rocket::{Request, async_trait, catcher};

use crate::answer::page_error::PageError;
use crate::answer::status;
use crate::guards::guard_error::GuardError;
use crate::request::request_id;

/// Answers whatever no route has answered, in the site's own look or as a problem.
#[derive(Clone)]
pub(crate) struct Catch;

#[async_trait]
impl catcher::Handler for Catch {
    async fn handle<'r>(&self, status: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        let error = match (status, GuardError::of(request)) {
            // A 401 of the application itself is about other credentials than ours.
            (status::UNAUTHORIZED, Some(refused)) => refused.into(),
            (status::UNAVAILABLE, _) => PageError::Unavailable,
            (other, _) => PageError::Status(other),
        };
        if status.class().is_server_error() {
            let request_id = request_id::of(request);
            tracing::error!(status = status.code, request_id, "a request failed");
        }
        error.respond_to(request)
    }
}
