use std::borrow::Cow;

use rocket::http::Status;
use rocket::{get, tokio};

use crate::answer::status;
use crate::site::Site;

/// How long the store may take to say that it is ready.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// Says that the process runs.
#[get("/health/live")]
pub(crate) fn live() -> &'static str {
    "live\n"
}

/// Says whether the program can serve: the store answers, its schema is the one that this program
/// uses, and the program is not stopping. A clock that is far off is reported but does not matter,
/// since the database's clock is used.
#[get("/health/ready")]
pub(crate) async fn ready(site: Site<'_>) -> Result<Cow<'static, str>, (Status, &'static str)> {
    if site.is_stopping() {
        return Err((status::UNAVAILABLE, "stopping\n"));
    }
    match tokio::time::timeout(PATIENCE, site.auth.ready()).await {
        Ok(Ok(())) => Ok(ready_at(site.auth.jobs().clock_skew())),
        Ok(Err(error)) => {
            site.log_outage(&error);
            Err((status::UNAVAILABLE, "the database is not ready\n"))
        }
        Err(_) => Err((status::UNAVAILABLE, "the database does not answer\n")),
    }
}

fn ready_at(clock_skew: Option<i64>) -> Cow<'static, str> {
    let Some(seconds) = clock_skew else { return "ready\n".into() };
    let (off, how) = (seconds.unsigned_abs(), if seconds < 0 { "ahead of" } else { "behind" });
    format!("ready\nthis machine's clock is {off} s {how} the database's\n").into()
}
