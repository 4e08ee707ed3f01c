//! Tests that passwords, tokens and other input do not leak into logs, the audit trail or the database.

use std::path::Path;

use crate::http::{Reply, exchange};
use crate::support::{EMAIL, PASSWORD, Place, Server};

/// Words that occur nowhere else. No user has that address or password, and no token is like that.
const UNKNOWN: &str = "canary.unknown@aviary.example";
const GUESS: &str = "canary guess tangerine";
const NEW_PASSWORD: &str = "canary novel aubergine";
const SESSION: &str = "canarySessionAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const REMEMBER: &str =
    "canaryRememberAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.canarySecretAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const BROWSER: &str = "canaryBrowserAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// A forged line of the log.
const FORGED: &str =
    "\n{\"timestamp\":\"2026-01-01T00:00:00Z\",\"level\":\"WARN\",\"canary\":\"forged\"}\n";

fn send(server: &Server, method: &str, path: &str, agent: &[u8], form: &[(&str, &str)]) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let cookies = format!("session={SESSION}; remember_token={REMEMBER}; known_browser={BROWSER}");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nCookie: {cookies}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nUser-Agent: ",
        server.port,
        body.len()
    );
    let request = [head.as_bytes(), agent, b"\r\n\r\n", body.as_bytes()].concat();
    exchange(server.port, &request).unwrap()
}

/// Sends the canaries wherever a visitor can send something, and returns the tokens that the site issued.
fn sing(server: &Server) -> Vec<String> {
    let next = format!("/blogs?canary={FORGED}");
    let encoded: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    let agents: [&[u8]; 6] = [
        b"canary/1.0 \",\"address\":\"6.6.6.6\"}",
        b"canary\x1b[31mred",
        b"canary\x00\x01\x7f",
        b"canary\ttab \xff\xfe \xe2\x80\xa8 line",
        b"canary\r\n {\"canary\":\"folded\"}",
        b"canary\r{\"canary\":\"returned\"}",
    ];
    for agent in agents {
        let form = [("email", UNKNOWN), ("password", GUESS), ("next", &next)];
        let reply = send(server, "POST", "/login", agent, &form);
        assert!(matches!(reply.status, 400 | 401 | 429), "{reply:?}");
        send(server, "GET", &format!("/login?next={encoded}"), agent, &[]);
        send(server, "GET", &format!("/canary/{encoded}"), agent, &[]).is(if reply.status == 400 {
            400
        } else {
            404
        });
    }
    let plain = b"canary";
    send(server, "POST", "/login", plain, &[("email", GUESS), ("password", GUESS)]).is(422);
    send(server, "POST", "/login", plain, &[("email", EMAIL), ("password", GUESS)]).is(401);
    send(server, "POST", "/login", plain, &[("email", FORGED), ("password", GUESS)]).is(422);
    let named = [("email", UNKNOWN), ("username", FORGED), ("password", "canary")];
    send(server, "POST", "/register", plain, &named).is(422);
    let taken = [("email", EMAIL), ("username", FORGED), ("password", NEW_PASSWORD)];
    let reply = send(server, "POST", "/register", plain, &taken);
    assert!(matches!(reply.status, 409 | 422), "{reply:?}");
    send(server, "DELETE", "/canary", plain, &[]).is(404);

    let mut ada = server.browser();
    let form = [("email", EMAIL), ("password", PASSWORD), ("remember", "on")];
    ada.post("/login", &form).is(303);
    let mut tokens: Vec<String> = ada.cookies.iter().map(|(_, value)| value.clone()).collect();
    ada.post("/reauthenticate", &[("password", GUESS), ("next", &next)]).is(401);
    let changed = [("current_password", PASSWORD), ("password", NEW_PASSWORD)];
    ada.post("/account/password", &changed).is(303);
    tokens.extend(ada.cookies.iter().map(|(_, value)| value.clone()));
    ada.post("/logout", &[]).is(303);
    tokens.retain(|token| token.len() > 20);
    assert!(tokens.len() >= 5, "{tokens:?}");
    tokens
}

/// Searches for words in any case and encoding.
#[track_caller]
fn holds_none(what: &str, held: &[u8], words: &[String]) {
    let held = held.to_ascii_lowercase();
    for word in words {
        let encoded: String = form_urlencoded::byte_serialize(word.as_bytes()).collect();
        for word in [word, &encoded, &word.replace(' ', "%20")] {
            let word = word.to_ascii_lowercase();
            let found = held.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!found, "{what} holds {word}");
        }
    }
}

fn files_of_the_database(place: &Place) -> Vec<(String, Vec<u8>)> {
    let folder = place.path("");
    let all = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let is_ours = |path: &Path| path.to_string_lossy().contains("countersign.db");
    let read = |path: std::path::PathBuf| {
        (path.display().to_string(), std::fs::read(&path).unwrap_or_default())
    };
    all.filter(|path| is_ours(path)).map(read).collect()
}

#[test]
fn nothing_that_is_typed_or_shown_sings_where_it_should_not() {
    for level in ["critical", "normal", "debug"] {
        let place = Place::new();
        place.create(EMAIL, PASSWORD);
        let server = place.serve(&[("ROCKET_LOG_LEVEL", level)]);
        let mut secrets = sing(&server);
        let typed = [UNKNOWN, GUESS, NEW_PASSWORD, PASSWORD, SESSION, BROWSER];
        secrets.extend(typed.map(str::to_owned));
        secrets.extend(REMEMBER.split('.').map(str::to_owned));

        let files = files_of_the_database(&place);
        assert!(files.iter().any(|(name, _)| name.ends_with("-wal")), "the database is open");
        let log = server.log();
        let trail = place.run(&["audit", "list", "--json"]);
        holds_none(&format!("the log ({level})"), log.as_bytes(), &secrets);
        holds_none("the trail", trail.works().as_bytes(), &secrets);
        for (name, held) in &files {
            holds_none(name, held, &secrets);
        }
        assert_eq!(server.end("TERM").0, Some(0));
        for (name, held) in files_of_the_database(&place) {
            holds_none(&name, &held, &secrets);
        }

        for line in log.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line.get("canary"), None, "{line}");
            assert!(line["fields"]["message"].is_string() && line["target"].is_string(), "{line}");
        }
        assert!(!log.contains('\u{1b}') && !log.contains('\r'), "{log}");
        // The User-Agent of browsers is in the trail, in printable ASCII, but not in the log.
        let agents: Vec<_> =
            trail.json().as_array().unwrap().iter().map(|r| r["user_agent"].clone()).collect();
        assert!(agents.contains(&"canary/1.0 \",\"address\":\"6.6.6.6\"}".into()), "{agents:?}");
        let plain = |agent: &str| agent.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        assert!(agents.iter().filter_map(|agent| agent.as_str()).all(plain), "{agents:?}");
        assert!(level == "debug" || !log.contains("canary"), "{log}");
        assert!(!log.contains("6.6.6.6"), "{log}");
        place.run(&["audit", "verify"]).works();
    }
}
