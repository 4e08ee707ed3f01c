use rocket::http::Status;
use rocket::{get, tokio};

use crate::identity::log_outage;
use crate::state::Site;

/// How long the store may take to say that it is ready.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// Whether the process runs.
#[get("/health/live")]
pub(crate) fn live() -> &'static str {
    "live\n"
}

/// Whether it can serve: the store is reached, has the schema that this program uses, and the
/// program is not about to stop.
#[get("/health/ready")]
pub(crate) async fn ready(site: Site<'_>) -> (Status, &'static str) {
    if site.is_stopping() {
        return (Status::ServiceUnavailable, "stopping\n");
    }
    match tokio::time::timeout(PATIENCE, site.auth.ready()).await {
        Ok(Ok(())) => (Status::Ok, "ready\n"),
        Ok(Err(error)) => {
            log_outage(&error, site.request);
            (Status::ServiceUnavailable, "the database is not ready\n")
        }
        Err(_) => (Status::ServiceUnavailable, "the database does not answer\n"),
    }
}
