//! Tests of the program for rows of docs/asvs.md that no other test covers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Place, Server};

fn entries(server: &Server) -> Vec<serde_json::Value> {
    server.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_of_the_log_says_when_where_who_and_what() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let user = place.run(&["user", "show", EMAIL, "--json"]).json();
    let server = place.serve(&[]);
    server.browser().log_in("nobody@example.org", OTHER_PASSWORD).is(401);
    server.member(EMAIL, PASSWORD).post("/logout", &[]).is(303);
    let entries = entries(&server);
    for (kind, level, is_known) in [
        ("user_login_failed", "WARN", false),
        ("user_logged_in", "INFO", true),
        ("user_logged_out", "INFO", true),
    ] {
        let entry = entries.iter().find(|entry| entry["fields"]["kind"] == kind).unwrap();
        let (fields, at) = (&entry["fields"], entry["timestamp"].as_str().unwrap());
        assert!(at.ends_with('Z') && at.contains('T'), "in UTC: {at}");
        assert_eq!(entry["level"], level, "{entry}");
        assert_eq!(fields["address"], "127.0.0.1", "{entry}");
        assert_eq!(fields["user"] == user["id"], is_known, "{entry}");
        assert_eq!(fields["session"].is_string(), is_known, "{entry}");
    }
}

#[test]
fn what_somebody_sends_writes_no_line_of_the_log() {
    let place = Place::new();
    let server = place.serve(&[("ROCKET_LOG_LEVEL", "debug")]);
    let forged = "x\n{\"level\":\"ERROR\",\"fields\":{\"kind\":\"user_logged_in\"}}\r\n\u{1b}[2J";
    let encoded: String = form_urlencoded::byte_serialize(forged.as_bytes()).collect();
    let encoded = encoded.replace('+', "%20");
    let mut visitor = server.browser();
    visitor.log_in(forged, PASSWORD).is(422);
    visitor.log_in(EMAIL, forged).is(401);
    visitor.get(&format!("/{encoded}")).is(404);
    visitor.get(&format!("/login?next=/{encoded}")).is(200);
    let agent = [("User-Agent", "x\"}}{\"level\":\"ERROR\"}"), ("X-Request-Id", "forged")];
    visitor.send("GET", "/blogs", &agent).is(303);
    // Each line is still one entry. The forged one, which has no timestamp and no target, is not among them.
    for entry in entries(&server) {
        assert!(entry["timestamp"].is_string() && entry["target"].is_string(), "{entry}");
        assert_ne!(entry["fields"]["kind"], "user_logged_in", "{entry}");
    }
    assert!(!server.log().contains('\u{1b}'));
}

#[test]
fn nobody_has_an_account_before_somebody_makes_one() {
    let place = Place::new();
    let server = place.serve(&[]);
    assert_eq!(place.run(&["user", "list", "--json"]).json(), serde_json::json!([]));
    for (email, password) in
        [("admin@example.com", "admin"), ("root@localhost.localdomain", "password")]
    {
        server.browser().log_in(email, password).is(401);
    }
}

#[test]
fn the_files_of_the_database_hold_neither_password_nor_token() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[]);
    let mut ada = server.browser();
    let form = [("email", EMAIL), ("password", PASSWORD), ("remember", "on")];
    ada.post("/login", &form).is(303);
    assert_eq!(ada.cookies.len(), 3, "{:?}", ada.cookies);
    let mut secrets = vec![PASSWORD.to_owned()];
    secrets.extend(ada.cookies.iter().flat_map(|(_, value)| value.split('.')).map(str::to_owned));
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(place.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("countersign.db") {
            std::fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
        }
    }
    let holds = |text: &str| bytes.windows(text.len()).any(|found| found == text.as_bytes());
    assert!(holds(EMAIL) && holds("$argon2id$"), "that is where they are kept");
    for secret in secrets {
        assert!(!holds(&secret), "the database holds {secret}");
    }
}

#[test]
fn a_request_whose_end_is_in_doubt_is_answered_once_and_what_follows_is_no_request() {
    let place = Place::new();
    let server = place.serve(&[]);
    let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (framing, body, status) in [
        ("Content-Length: 0\r\nContent-Length: 5\r\n", "", Some("400")),
        ("Content-Length: 5, 5\r\n", "", Some("400")),
        ("Content-Length: +5\r\n", "", Some("400")),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", Some("400")),
        ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n", Some("400")),
        ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n", Some("400")),
        ("X: a\r\n Content-Length: 5\r\n", "", Some("400")),
        // RFC 9112, section 6.1: the encoding takes precedence, and the connection closes after the answer.
        ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", None),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n", None),
        ("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n", None),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let request = format!("POST /logout HTTP/1.1\r\nHost: x\r\n{framing}\r\n{body}{hidden}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A server that closes a connection with unread data resets it.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing:?}: {answer}");
        let is = |status: &str| answer.starts_with(&format!("HTTP/1.1 {status} "));
        assert!(status.is_none_or(is), "{framing:?}: {answer}");
    }
    server.browser().get("/health/ready").is(200);
}
