//! Tests of the program's log.

use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Place};

/// Does everything that people do, with right and wrong passwords. Returns the tokens that the site issued.
fn work(server: &crate::support::Server) -> Vec<String> {
    let mut ada = server.browser();
    ada.try_register(EMAIL, PASSWORD).unwrap().is(303);
    ada.try_register("bob@example.org", "hunter2").unwrap().is(422);
    ada.try_register(EMAIL, PASSWORD).unwrap().is(409);
    ada.log_in(EMAIL, OTHER_PASSWORD).is(401);
    ada.log_in("nobody@example.org", OTHER_PASSWORD).is(401);
    ada.log_in(EMAIL, PASSWORD).is(303);
    let token = ada.token();
    ada.get("/blogs").is(200);
    ada.get("/nowhere").is(404);
    ada.log_in(EMAIL, OTHER_PASSWORD).is(401);
    ada.post("/logout", &[]).is(303);
    ada.post("/login", &[("password", PASSWORD), ("password", PASSWORD)]).is(400);
    vec![token]
}

#[test]
fn a_log_that_no_person_reads_is_json_and_holds_no_secret() {
    for level in ["critical", "normal", "debug"] {
        let place = Place::new();
        let server = place.serve(&[("ROCKET_LOG_LEVEL", level)]);
        let tokens = work(&server);
        let log = server.log();
        for line in log.lines() {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(entry["timestamp"].is_string() && entry["level"].is_string(), "{line}");
        }
        for secret in [PASSWORD, OTHER_PASSWORD, "hunter2"] {
            let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            assert!(!log.contains(secret) && !log.contains(&encoded), "{level}: {secret}\n{log}");
        }
        for token in tokens {
            assert!(!log.contains(&token), "{level} writes a token");
        }
        assert!(!log.contains("$argon2"), "{level} writes a hash");
        if level == "normal" {
            assert!(
                log.contains("\"user_logged_in\"") && log.contains("\"user_registered\""),
                "{log}"
            );
            assert!(!log.contains("ERROR"), "nothing went wrong: {log}");
        }
    }
}

#[cfg(feature = "argon2-simd")]
#[test]
fn a_build_with_hashing_that_is_not_audited_says_so_once_at_the_start() {
    let place = Place::new();
    let server = place.serve(&[]);
    work(&server);
    let log = server.log();
    let warnings = log.lines().filter(|line| line.contains("argon2-simd")).collect::<Vec<_>>();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("WARN") && warnings[0].contains("not audited"), "{log}");
}

#[test]
fn a_failure_can_be_found_in_the_log_by_what_the_page_says() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[]);
    let mut ada = server.member(EMAIL, PASSWORD);
    // Without the table of sessions, every page of a member fails.
    place.run(&["migrate", "down", "5", "--yes"]).works();
    let reply = ada.get("/blogs");
    assert_eq!(reply.is(503).header("Retry-After"), Some("5"));
    let id = reply.header("X-Request-Id").unwrap();
    reply.shows(id);
    let log = server.log();
    let line = log.lines().find(|line| line.contains(id) && line.contains("the store"));
    assert!(line.is_some_and(|line| line.contains("ERROR")), "{log}");
    ada.get("/health/ready").is(503);
    ada.get("/health/live").is(200);
    place.run(&["migrate", "up"]).works();
    ada.get("/health/ready").is(200);
}

/// Returns the lines of a log that contain this text.
fn lines_with(log: &str, text: &str) -> Vec<serde_json::Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line["fields"]["message"] == text).collect()
}

#[test]
fn what_another_site_sends_is_refused_and_logged_without_what_it_says() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[("ROCKET_LOG_LEVEL", "critical")]);
    let mut ada = server.member(EMAIL, PASSWORD);
    let token = ada.token();
    let origin = [("Origin", "https://evil.example/canary")];
    for (method, path, headers) in [
        ("POST", "/logout?canary=1", &[("Sec-Fetch-Site", "cross-site")][..]),
        ("POST", "/account/delete", &origin),
        ("DELETE", "/canary", &[("Sec-Fetch-Site", "same-site")]),
    ] {
        let reply = ada.try_send(method, path, headers, "password=canary").unwrap();
        let log = server.log();
        let lines = lines_with(&log, "a request from another site was refused");
        let (line, fields) = (lines.last().unwrap(), &lines.last().unwrap()["fields"]);
        assert_eq!((&line["level"], &fields["address"]), (&"WARN".into(), &"127.0.0.1".into()));
        assert_eq!(fields["request_id"].as_str(), reply.is(403).header("X-Request-Id"));
        assert!(!log.contains("canary") && !log.contains("evil") && !log.contains(&token), "{log}");
    }
    let book = include_str!("../../../../docs/withstand.md");
    assert!(book.contains("`a request from another site was refused`"), "the book says so");
    // Requests from this site, and GET requests from others, are not logged.
    ada.send("GET", "/blogs", &[("Sec-Fetch-Site", "cross-site")]).is(200);
    ada.send("POST", "/logout", &[("Sec-Fetch-Site", "same-origin")]).is(303);
    assert_eq!(lines_with(&server.log(), "a request from another site was refused").len(), 3);
}

#[test]
fn two_session_cookies_count_as_none_and_are_logged_without_what_they_hold() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[("ROCKET_LOG_LEVEL", "critical")]);
    let token = server.member(EMAIL, PASSWORD).token();
    let doubled = |names: [&str; 2]| {
        let mut browser = server.browser();
        browser.cookies = names.map(|name| (name.to_owned(), token.clone())).into();
        browser
    };
    let reply = doubled(["session", "session"]).get("/blogs");
    let log = server.log();
    let lines = lines_with(&log, "two session cookies came in one request");
    let fields = &lines[0]["fields"];
    assert_eq!((lines.len(), &fields["address"]), (1, &"127.0.0.1".into()));
    assert_eq!(fields["request_id"].as_str(), reply.is(303).header("X-Request-Id"));
    assert_eq!(lines[0]["level"], "WARN");
    assert!(!log.contains(&token), "{log}");
    // A single cookie is not reported.
    doubled(["session", "other"]).get("/blogs").is(200);
    doubled(["session", "Session"]).get("/blogs").is(200);
    assert_eq!(lines_with(&server.log(), "two session cookies came in one request").len(), 1);
}
