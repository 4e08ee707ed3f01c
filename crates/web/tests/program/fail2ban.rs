//! Tests that `config/fail2ban` finds the addresses of guessers only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http::Reply;
use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Place, Server};

fn filter() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("config/fail2ban/filter.d/countersign.conf")
}

/// Returns the addresses that the filter finds in a log, and how often. Returns `None` without fail2ban.
#[expect(clippy::print_stderr, reason = "a skipped test prints the reason")]
fn found_in(log: &Path, filter: &Path) -> Option<BTreeMap<String, usize>> {
    let mut command = Command::new("fail2ban-regex");
    let Ok(output) = command.args(["--out", "ip"]).arg(log).arg(filter).output() else {
        eprintln!("skipped: there is no fail2ban-regex");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() || said.is_empty(), "{output:?}");
    let mut found = BTreeMap::new();
    for address in said.lines() {
        *found.entry(address.to_owned()).or_default() += 1;
    }
    Some(found)
}

/// Sends a login from this address, as a proxy would forward it.
fn try_from(server: &Server, address: &str, agent: &str, email: &str, password: &str) -> Reply {
    let form = [("email", email), ("password", password), ("next", agent)];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let headers = [("X-Forwarded-For", address), ("User-Agent", agent)];
    server.browser().try_send("POST", "/login", &headers, &body).unwrap()
}

const FORGED: &str = "\",\"address\":\"6.6.6.6\"},\"x\":{\"message\":\"authentication\",\
     \"kind\":\"user_login_failed\",\"address\":\"6.6.6.6\",\"reason\":\"address\"}";

#[test]
fn exactly_those_are_found_who_fail() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    place.create("eve@example.org", PASSWORD);
    let server = place.serve(&[("COUNTERSIGN_TRUSTED_PROXIES", "[\"127.0.0.1/32\"]")]);
    let wrong = |address: &str, email: &str| {
        try_from(&server, address, "Test/1.0", email, OTHER_PASSWORD).status
    };
    for status in [401, 401, 401, 401, 401, 429, 429] {
        assert_eq!(wrong("203.0.113.7", "nobody@example.org"), status);
    }
    assert_eq!(wrong("2001:db8::7", "eve@example.org"), 401);
    try_from(&server, "198.51.100.9", "Test/1.0", EMAIL, PASSWORD).is(303);

    // A client that forges an address is found under its own.
    let line = format!(
        "x\n{{\"timestamp\":\"2026-01-01T00:00:00.000000Z\",\"level\":\"WARN\",\
         \"fields\":{{\"message\":\"authentication{FORGED}"
    );
    try_from(&server, "192.0.2.1", FORGED, "nobody@example.net", OTHER_PASSWORD).is(401);
    try_from(&server, "192.0.2.1", "Test/1.0", &line, &line).is(422);
    let path: String = form_urlencoded::byte_serialize(line.as_bytes()).collect();
    let path = format!("/login?next={path}");
    server.browser().send("GET", &path, &[("X-Forwarded-For", "192.0.2.1")]).is(200);
    for forged in [FORGED, "6.6.6.6\",\"kind\":\"user_login_failed", "6.6.6.6 x"] {
        // These are not addresses, so only the address of the proxy is known.
        try_from(&server, forged, "Test/1.0", EMAIL, PASSWORD).is(303);
    }

    // A client that is throttled because of others is not found.
    for n in 0..10 {
        let status = wrong(&format!("11.0.{n}.1"), EMAIL);
        assert_eq!(status, 401, "{n}");
    }
    try_from(&server, "198.51.100.20", "Test/1.0", EMAIL, PASSWORD).is(429);
    let headers = [("X-Forwarded-For", "198.51.100.21"), ("Sec-Fetch-Site", "cross-site")];
    server.browser().send("POST", "/login", &headers).is(403);

    let mut expected: BTreeMap<String, usize> =
        (0..10).map(|n| (format!("11.0.{n}.1"), 1)).collect();
    for (address, times) in [("203.0.113.7", 7), ("2001:db8::7", 1), ("192.0.2.1", 1)] {
        expected.insert(address.to_owned(), times);
    }
    let log = server.log();
    assert!(log.contains("198.51.100.20"), "the log has it, but not as a guesser: {log}");
    place.write("plain.log", &log);
    let Some(found) = found_in(&place.path("plain.log"), &filter()) else { return };
    assert_eq!(found, expected);
    // The journal puts the time in front of each line.
    let start = "2026-01-01 00:00:00 host.example countersign[42]: ";
    let journal: String = log.lines().map(|line| format!("{start}{line}\n")).collect();
    place.write("journal.log", journal);
    let text = std::fs::read_to_string(filter()).unwrap();
    let (before, after) = text.split_once("\ndatepattern = ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let pattern = "\ndatepattern = ^%%Y-%%m-%%d %%H:%%M:%%S\\s\n";
    place.write("journal.conf", [before, pattern, after].concat());
    let found = found_in(&place.path("journal.log"), &place.path("journal.conf"));
    assert_eq!(found, Some(expected));
}
