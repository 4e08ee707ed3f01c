//! Tests of the metrics, and of the address where they are served.

mod exposition;
mod files;

use std::net::TcpListener;

use self::exposition::Exposition;
use crate::http::{Browser, Reply};
use crate::support::{EMAIL, Env, OTHER_PASSWORD, PASSWORD, Place, Server};

const ADDRESS: &str = "COUNTERSIGN_METRICS_ADDRESS";
const NOBODY: &str = "nobody@example.org";

/// Starts a site that serves metrics on a free port.
#[track_caller]
fn serve(place: &Place, env: &Env<'_>) -> (Server, Browser) {
    let server = place.serve(&[env, &[(ADDRESS, "127.0.0.1:0")]].concat());
    let port = port(&server.log()).unwrap_or_else(|| panic!("no metrics: {}", server.log()));
    assert_ne!(port, server.port);
    (server, Browser::new(port))
}

/// Returns the port of the metrics that the log names.
fn port(log: &str) -> Option<u16> {
    let mut entries = log.lines().filter_map(|line| serde_json::from_str(line).ok());
    entries.find_map(|entry: serde_json::Value| {
        let field = |name: &str| entry.pointer(&format!("/fields/{name}"))?.as_str();
        (field("message")? == "metrics are served").then_some(())?;
        field("address")?.rsplit(':').next()?.parse().ok()
    })
}

fn scrape(scraper: &mut Browser) -> (Reply, Exposition) {
    let reply = scraper.get("/metrics");
    let exposition = Exposition::read(&reply.is(200).body);
    (reply, exposition)
}

#[test]
fn every_login_is_counted_once_by_what_came_of_it() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let pace = [("COUNTERSIGN_THROTTLE__ACCOUNT_FROM_ADDRESS", "2/5m")];
    let (server, mut scraper) = serve(&place, &pace);
    let mut anon = server.browser();
    anon.log_in(EMAIL, OTHER_PASSWORD).is(401);
    let mut ada = server.member(EMAIL, PASSWORD);
    anon.log_in(NOBODY, PASSWORD).is(401);
    anon.log_in(NOBODY, PASSWORD).is(401);
    anon.log_in(NOBODY, PASSWORD).is(429);
    anon.log_in("no address", PASSWORD).is(422);
    ada.post("/reauthenticate", &[("password", OTHER_PASSWORD)]).is(401);

    let (_, counted) = scrape(&mut scraper);
    for (outcome, count) in [
        ("success", 1.0),
        ("wrong_password", 1.0),
        ("unknown_user", 2.0),
        ("throttled", 1.0),
        ("invalid", 1.0),
        ("no_password", 0.0),
        ("disabled", 0.0),
        ("superseded", 0.0),
        ("overloaded", 0.0),
        ("unavailable", 0.0),
    ] {
        let series = format!("countersign_logins_total{{outcome=\"{outcome}\"}}");
        assert_eq!(counted.value(&series), Some(count), "{series}");
    }
    assert_eq!(counted.sum("countersign_logins_total"), 6.0);
    let event = |kind, reason| {
        counted.value(&format!("countersign_events_total{{kind=\"{kind}\",reason=\"{reason}\"}}"))
    };
    assert_eq!(event("user_logged_in", "none"), Some(1.0));
    assert_eq!(event("user_login_failed", "unknown_user"), Some(2.0));
    // One at the login, and one by a user who is logged in.
    assert_eq!(event("user_login_failed", "wrong_password"), Some(2.0));
    assert_eq!(event("user_throttled", "account_from_address"), Some(1.0));
    let refused = "countersign_throttled_total{reason=\"account_from_address\"}";
    assert_eq!(counted.value(refused), Some(1.0));
    assert_eq!(counted.sum("countersign_throttled_total"), 1.0);
}

#[test]
fn every_hash_is_counted_with_its_wait_and_its_duration() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let (server, mut scraper) = serve(&place, &[("COUNTERSIGN_ARGON2__QUEUE", "9")]);
    server.browser().log_in(EMAIL, OTHER_PASSWORD).is(401);
    server.browser().log_in(NOBODY, PASSWORD).is(401);
    server.member(EMAIL, PASSWORD);
    let (_, counted) = scrape(&mut scraper);
    for series in [
        "countersign_hashes_total",
        "countersign_hash_wait_seconds_count",
        "countersign_hash_duration_seconds_count",
    ] {
        assert_eq!(counted.value(series), Some(3.0), "{series}");
    }
    let took = counted.value("countersign_hash_duration_seconds_sum").unwrap();
    assert!(took > 0.001 && took < 60.0, "{took} seconds");
    assert_eq!(counted.value("countersign_hash_queue_depth"), Some(0.0));
    assert_eq!(counted.value("countersign_hash_queue_limit"), Some(9.0));
    assert_eq!(counted.sum("countersign_hash_refusals_total"), 0.0);
}

#[test]
fn whoever_finds_no_place_before_the_workers_is_counted() {
    let place = Place::new();
    let env = [
        ("COUNTERSIGN_ARGON2__WORKERS", "1"),
        ("COUNTERSIGN_ARGON2__QUEUE", "1"),
        ("COUNTERSIGN_ARGON2__ITERATIONS", "10"),
        ("COUNTERSIGN_ARGON2__MEMORY_KIB", "262144"),
        ("COUNTERSIGN_ARGON2__MAX_WAIT", "60s"),
        ("COUNTERSIGN_THROTTLE__ENABLED", "false"),
    ];
    let (server, mut scraper) = serve(&place, &env);
    let port = server.port;
    let tries: Vec<_> = (0..6)
        .map(|n| {
            let email = format!("nobody{n}@example.org");
            std::thread::spawn(move || Browser::new(port).log_in(&email, PASSWORD).status)
        })
        .collect();
    let statuses: Vec<_> = tries.into_iter().map(|one| one.join().unwrap()).collect();
    let turned_away = statuses.iter().filter(|status| **status == 503).count();
    assert!(turned_away > 0, "{statuses:?}");
    let (_, counted) = scrape(&mut scraper);
    let turned_away = Some(turned_away as f64);
    let full = "countersign_hash_refusals_total{reason=\"queue_full\"}";
    assert_eq!(counted.value(full), turned_away);
    let overloaded = "countersign_logins_total{outcome=\"overloaded\"}";
    assert_eq!(counted.value(overloaded), turned_away);
    assert_eq!(counted.value("countersign_hash_queue_depth"), Some(0.0));
}

#[test]
fn a_request_is_counted_by_its_route_and_not_by_its_path() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let (server, mut scraper) = serve(&place, &[]);
    let mut ada = server.member(EMAIL, PASSWORD);
    for n in 0..3 {
        ada.get(&format!("/made-up-{n}?secret={n}")).is(404);
        ada.post(&format!("/account/sessions/made-up-{n}/revoke"), &[]).is(404);
        ada.get(&format!("/login?next=/made-up-{n}")).is(303);
    }
    ada.get("/blogs").is(200);
    let (_, counted) = scrape(&mut scraper);
    for (method, route, status, count) in [
        ("POST", "/login", "3xx", 1.0),
        ("GET", "/login", "3xx", 3.0),
        ("GET", "/blogs", "2xx", 1.0),
        ("GET", "unmatched", "4xx", 3.0),
        ("POST", "/account/sessions/<id>/revoke", "4xx", 3.0),
    ] {
        let series = format!(
            "countersign_http_request_duration_seconds_count\
             {{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"
        );
        assert_eq!(counted.value(&series), Some(count), "{series}");
    }
    let made_up = counted.series().filter(|series| series.contains("made-up"));
    assert_eq!(made_up.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn sessions_are_counted_and_a_scrape_begins_none() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let (server, mut scraper) = serve(&place, &[]);
    let sessions = || {
        let list = place.run(&["session", "list", EMAIL, "--json"]).json();
        list.as_array().map_or(0, Vec::len)
    };
    server.member(EMAIL, PASSWORD);
    server.member(EMAIL, PASSWORD).post("/logout", &[]).is(303);
    let (reply, counted) = scrape(&mut scraper);
    assert_eq!(counted.value("countersign_sessions_live"), Some(1.0));
    assert_eq!(reply.header("Set-Cookie"), None);
    let (_, again) = scrape(&mut scraper);
    assert_eq!(again.value("countersign_sessions_live"), Some(1.0));
    assert_eq!((sessions(), scraper.cookies.len()), (1, 0));
    // A scrape does not count as a request to the site, or as an event.
    let unscraped = |counted: &Exposition| {
        let series = counted.series().filter(|series| !series.contains("connections"));
        series.map(|series| (series.to_owned(), counted.value(series))).collect::<Vec<_>>()
    };
    assert_eq!(unscraped(&counted), unscraped(&again));
}

#[test]
fn the_database_is_counted() {
    let place = Place::new();
    let (server, mut scraper) = serve(&place, &[]);
    server.browser().get("/health/ready").is(200);
    let (_, counted) = scrape(&mut scraper);
    assert_eq!(counted.sum("countersign_database_errors_total"), 0.0);
    let limit =
        |pool| counted.value(&format!("countersign_database_connections_limit{{pool=\"{pool}\"}}"));
    assert_eq!((limit("reader"), limit("writer")), (Some(8.0), Some(1.0)));
    let open = counted.sum("countersign_database_connections");
    assert!((2.0..=9.0).contains(&open), "{open} connections");
}

#[test]
fn an_error_of_the_database_is_counted_and_hides_the_sessions() {
    let place = Place::new();
    let (server, mut scraper) = serve(&place, &[]);
    let status = place.run(&["migrate", "status"]);
    let all = status.works().lines().count().to_string();
    place.run(&["migrate", "down", &all, "--yes"]).works();
    server.browser().log_in(NOBODY, PASSWORD).is(503);
    let (_, counted) = scrape(&mut scraper);
    let errors = counted.value("countersign_database_errors_total{kind=\"other\"}");
    assert!(errors.is_some_and(|errors| errors >= 1.0), "{errors:?}");
    let unavailable = "countersign_logins_total{outcome=\"unavailable\"}";
    assert_eq!(counted.value(unavailable), Some(1.0));
    assert_eq!(counted.value("countersign_sessions_live"), None);
}

#[test]
fn nothing_of_a_person_is_in_the_metrics() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let user = place.run(&["user", "show", EMAIL, "--json"]).json();
    let (server, mut scraper) = serve(&place, &[]);
    let mut ada = server.member(EMAIL, PASSWORD);
    server.browser().log_in(NOBODY, OTHER_PASSWORD).is(401);
    ada.get("/account/sessions").is(200);
    let (reply, _) = scrape(&mut scraper);
    let (id, token) = (user["id"].as_str().unwrap(), ada.token());
    for secret in [EMAIL, NOBODY, "example.org", "127.0.0.1", PASSWORD, "Ada", id, &token] {
        assert!(!reply.body.contains(secret), "{secret}: {}", reply.body);
    }
}

#[test]
fn metrics_are_served_on_their_own_port_alone_and_nothing_else_is() {
    let place = Place::new();
    let (server, mut scraper) = serve(&place, &[]);
    server.browser().get("/metrics").is(404);
    let (reply, _) = scrape(&mut scraper);
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(reply.header("Content-Type"), Some(media));
    assert_eq!(reply.header("Server"), None);
    scraper.send("HEAD", "/metrics", &[]).is(200);
    for path in ["/", "/login", "/health/live", "/static/countersign.css", "/metrics/x", "/x"] {
        scraper.get(path).is(404);
    }
    scraper.post("/metrics", &[]).is(404);
    scraper.post("/login", &[("email", EMAIL), ("password", PASSWORD)]).is(404);
}

#[test]
fn without_the_key_there_are_none() {
    let place = Place::new();
    let server = place.serve(&[]);
    server.browser().get("/metrics").is(404);
    assert_eq!(port(&server.log()), None);
}

#[test]
fn a_port_for_metrics_that_is_in_use_ends_the_start_with_the_key() {
    let place = Place::new();
    place.run(&["migrate", "up"]).works();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for level in ["normal", "off"] {
        let env = [(ADDRESS, &*address), ("ROCKET_PORT", "0"), ("ROCKET_LOG_LEVEL", level)];
        let done = place.run_with(&env, &["serve"], "");
        let why = done.fails();
        for part in ["metrics_address", &address, "in use"] {
            assert!(why.contains(part), "{why}");
        }
    }
}

#[test]
fn a_site_that_cannot_start_leaves_no_metrics_behind() {
    let place = Place::new();
    place.run(&["migrate", "up"]).works();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let env = [(ADDRESS, "127.0.0.1:0"), ("ROCKET_PORT", &port), ("ROCKET_LOG_LEVEL", "critical")];
    let done = place.run_with(&env, &["serve"], "");
    assert!(done.fails().contains(&format!("127.0.0.1:{port}")), "{done:?}");
}

#[test]
fn metrics_end_with_the_site() {
    let place = Place::new();
    let (server, mut scraper) = serve(&place, &[]);
    server.browser().get("/health/live").is(200);
    scrape(&mut scraper);
    let (code, _, rest) = server.end("TERM");
    assert_eq!((code, rest.as_str()), (Some(0), ""));
    assert!(scraper.try_send("GET", "/metrics", &[], "").is_err());
    assert!(!place.path("countersign.db-wal").exists());
}
