//! Tests of what docs/failures.md says about failures of databases and nodes.

mod following;
mod nodes;
mod proxy;
mod servers;
mod sqlite;
mod start;

use std::time::{Duration, Instant};

use crate::http::{Browser, Reply};
use crate::support::{EMAIL, PASSWORD, Server};

/// The limit for what is promised within five seconds, with a margin for busy machines.
const ANSWERED: Duration = Duration::from_secs(8);
/// The limit for what is promised within ten seconds, with a margin for busy machines.
pub(crate) const RECOVERED: Duration = Duration::from_secs(20);

/// Reads the session from the database for every request, and switches the throttle off.
const ALWAYS_ASKS: [(&str, &str); 2] =
    [("COUNTERSIGN_SESSION__MAX_STALENESS", "0s"), ("COUNTERSIGN_THROTTLE__ENABLED", "false")];

/// Asserts that a request is answered 503 in time, with a time to try again, and sets no cookies.
#[track_caller]
fn is_outage(ask: impl FnOnce() -> Reply) {
    let start = Instant::now();
    let reply = ask();
    let took = start.elapsed();
    reply.is(503);
    assert!(reply.header("Retry-After").is_some_and(|s| s.parse::<u32>().is_ok()), "{reply:?}");
    assert_eq!(reply.all("Set-Cookie").count(), 0, "{reply:?}");
    assert!(took < ANSWERED, "it took {took:?}");
}

/// Asserts that the site does not work for members and others, and that its health checks report this.
#[track_caller]
fn is_out_of_order(site: &Server, ada: &mut Browser) {
    let cookies = ada.cookies.clone();
    is_outage(|| ada.get("/blogs"));
    is_outage(|| ada.get("/account"));
    assert_eq!(ada.cookies, cookies, "she is still logged in");
    is_outage(|| site.browser().log_in(EMAIL, PASSWORD));
    is_outage(|| site.browser().try_register("eve@example.org", PASSWORD).unwrap());
    site.browser().get("/health/live").is(200);
    site.browser().get("/health/ready").is(503);
}

/// Asserts that the site works again by itself, for members who are logged in and for new logins.
#[track_caller]
fn recovers(site: &Server, ada: &mut Browser) {
    wait_until(RECOVERED, "it is ready", || site.browser().get("/health/ready").status == 200);
    wait_until(RECOVERED, "members are served", || {
        let reply = ada.get("/blogs");
        assert!([200, 503].contains(&reply.status), "never logged out: {reply:?}");
        reply.status == 200
    });
    wait_until(RECOVERED, "people log in", || {
        let mut bob = site.browser();
        let reply = bob.log_in(EMAIL, PASSWORD);
        assert!([303, 503].contains(&reply.status), "{reply:?}");
        // A session that was issued must have been saved.
        reply.status == 303 && bob.get("/account").is(200).status == 200
    });
}

#[track_caller]
pub(crate) fn wait_until(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn with<'a>(url: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("COUNTERSIGN_DATABASE_URL", url)], more].concat()
}
