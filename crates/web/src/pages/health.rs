use std::borrow::Cow;

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
/// program is not about to stop. A clock that is far off is named, and keeps nobody from serving: the
/// database's is used.
#[get("/health/ready")]
pub(crate) async fn ready(site: Site<'_>) -> (Status, Cow<'static, str>) {
    if site.is_stopping() {
        return (Status::ServiceUnavailable, "stopping\n".into());
    }
    match tokio::time::timeout(PATIENCE, site.auth.ready()).await {
        Ok(Ok(())) => (Status::Ok, ready_at(site.auth.clock_skew())),
        Ok(Err(error)) => {
            log_outage(&error, site.request);
            (Status::ServiceUnavailable, "the database is not ready\n".into())
        }
        Err(_) => (Status::ServiceUnavailable, "the database does not answer\n".into()),
    }
}

fn ready_at(clock_skew: Option<i64>) -> Cow<'static, str> {
    let Some(seconds) = clock_skew else { return "ready\n".into() };
    let (off, how) = (seconds.unsigned_abs(), if seconds < 0 { "ahead of" } else { "behind" });
    format!("ready\nthis machine's clock is {off} s {how} the database's\n").into()
}
