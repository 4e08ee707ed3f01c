//! What happens when a database or a node fails. docs/failures.md says so.

mod following;
mod nodes;
mod proxy;
mod servers;
mod sqlite;
mod start;

use std::time::{Duration, Instant};

use crate::http::{Browser, Reply};
use crate::support::{EMAIL, PASSWORD, Server};

/// What is promised within five seconds, on a busy machine.
const ANSWERED: Duration = Duration::from_secs(8);
/// What is promised within ten seconds, on a busy machine.
pub(crate) const RECOVERED: Duration = Duration::from_secs(20);

/// Asks the database with every request, and slows nobody down.
const ALWAYS_ASKS: [(&str, &str); 2] =
    [("COUNTERSIGN_SESSION__MAX_STALENESS", "0s"), ("COUNTERSIGN_THROTTLE__ENABLED", "false")];

/// A visitor is told in time that it does not work now, and when to try again; cookies are left alone.
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

/// The site is out of order for a member and for others, but it lives and says so.
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

/// The site works again by itself, for whoever was logged in and for whoever was turned away.
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
        // A session that was given out was stored.
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
