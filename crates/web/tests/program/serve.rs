//! Tests of starting, serving and stopping.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::http::Browser;
use crate::support::{EMAIL, PASSWORD, Place};

/// The grace period, with a margin for busy machines.
const GRACE: Duration = Duration::from_secs(12);

#[test]
fn it_says_where_it_is_in_one_line_and_makes_its_database() {
    let place = Place::new();
    let server = place.serve(&[]);
    let expected = format!("Countersign is ready at http://127.0.0.1:{}\n", server.port);
    assert_eq!(server.line, expected);
    assert_ne!(server.port, 0, "the real port, not the configured one");
    assert!(place.path("countersign.db").is_file());
    server.browser().get("/health/ready").is(200);
    let (_, _, rest) = server.end("TERM");
    assert_eq!(rest, "");
}

#[cfg(unix)]
#[test]
fn its_database_is_for_its_owners_eyes_alone() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let _server = place.serve(&[]);
    for entry in std::fs::read_dir(place.path("")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("countersign.db") {
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?} has mode {mode:o}", entry.file_name());
        }
    }
}

#[test]
fn people_register_log_in_see_the_members_page_and_log_out() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut ada = server.browser();
    ada.get("/blogs").sees_other("/login?next=%2Fblogs");
    ada.get("/login?next=%2Fblogs").is(200).shows("Please log in to access this page.");
    ada.try_register(EMAIL, PASSWORD).unwrap().sees_other("/login");
    ada.log_in(EMAIL, PASSWORD).sees_other("/blogs");
    ada.get("/blogs").is(200).shows("Hi Ada");
    let mut thief = ada.clone();
    ada.post("/logout", &[]).sees_other("/login");
    ada.get("/blogs").sees_other("/login?next=%2Fblogs");
    thief.get("/blogs").sees_other("/login?next=%2Fblogs");
}

#[test]
fn a_session_outlives_the_process() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[]);
    let mut ada = server.member(EMAIL, PASSWORD);
    server.end("TERM");
    let server = place.serve(&[]);
    ada.port = server.port;
    ada.get("/blogs").is(200).shows("Hi Ada");
}

/// Returns whether this process ignores SIGHUP, which the programs that it starts then do too.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).is_some_and(|set| set & 1 == 1)
}

#[test]
fn it_ends_when_it_is_told_to_and_says_that_it_is_done() {
    for signal in ["TERM", "INT", "HUP"] {
        if signal == "HUP" && is_hangup_ignored() {
            // With `nohup`, as is the program then, which ends by no such signal.
            continue;
        }
        let place = Place::new();
        let server = place.serve(&[]);
        let mut ada = server.browser();
        ada.try_register(EMAIL, PASSWORD).unwrap().is(303);
        let (code, took, _) = server.end(signal);
        assert_eq!(code, Some(0), "{signal}");
        assert!(took < GRACE, "{signal} took {took:?}");
        // The write-ahead log was merged into the file, so the file alone can be copied.
        assert!(!place.path("countersign.db-wal").exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn it_outlives_its_terminal_when_it_was_started_to() {
    let place = Place::new();
    let program = env!("CARGO_BIN_EXE_countersign");
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" serve", program])
        .current_dir(place.path("."))
        .env("ROCKET_PORT", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("is ready"), "{line}");
    let signal = |name: &str| {
        let kill = format!("kill -{name} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    };
    signal("HUP");
    std::thread::sleep(Duration::from_millis(300));
    let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
    Browser::new(port).get("/health/live").is(200);
    signal("TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn it_ends_within_its_grace_though_a_connection_is_open() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut idle = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: site\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 4096]).unwrap() > 0);
    let _silent = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let mut slow = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    slow.write_all(b"POST /login HTTP/1.1\r\nHost: site\r\nContent-Length: 10\r\n").unwrap();
    let (code, took, _) = server.end("TERM");
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(17), "it took {took:?}");
}

#[test]
fn two_that_start_at_once_on_a_new_database_both_serve() {
    for _ in 0..3 {
        let place = Place::new();
        let (one, other) = (place.start(&[]), place.start(&[]));
        let (one, other) = (one.ready(), other.ready());
        one.browser().try_register(EMAIL, PASSWORD).unwrap().is(303);
        let mut ada = other.member(EMAIL, PASSWORD);
        ada.port = one.port;
        ada.get("/blogs").is(200).shows("Hi Ada");
        ada.post("/logout", &[]).is(303);
        let status = place.run(&["migrate", "status"]);
        assert!(!status.works().contains("pending m"), "{status:?}");
    }
}

#[test]
fn a_port_that_is_in_use_is_named() {
    let place = Place::new();
    place.run(&["migrate", "up"]).works();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = place.run_with(&[("ROCKET_PORT", &port)], &["serve"], "");
    let why = done.fails();
    assert!(why.contains(&format!("127.0.0.1:{port}")) && why.contains("in use"), "{why}");
}

#[test]
fn without_a_command_it_serves() {
    let place = Place::new();
    place.run(&["migrate", "up"]).works();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = place.run_with(&[("ROCKET_PORT", &port)], &[], "");
    assert!(done.fails().contains("in use"), "{done:?}");
}

#[test]
fn a_folder_of_templates_replaces_single_pages() {
    let place = Place::new();
    let own = "{% extends \"base.html\" %}{% block content %}Own login{% endblock content %}";
    place.write("own/auth/login.html.tera", own);
    place.write("own/unrelated.html.tera", "{{ nothing }}");
    let server = place.serve(&[("ROCKET_TEMPLATE_DIR", "own")]);
    let mut anon = server.browser();
    anon.get("/login").is(200).shows("Own login").shows("site-header");
    anon.get("/register").is(200).shows("Create your account");
}

#[test]
fn a_template_that_cannot_be_read_ends_the_start_with_its_name() {
    let place = Place::new();
    place.write("own/auth/login.html.tera", "{% extends \"base.html\" %}{% block");
    let env = [("ROCKET_TEMPLATE_DIR", "own"), ("ROCKET_PORT", "0")];
    let done = place.run_with(&env, &["serve"], "");
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("auth/login.html"), "{done:?}");
    assert!(!done.stderr.contains("panicked"), "{done:?}");
}

#[test]
fn nothing_but_the_program_is_needed() {
    let place = Place::new();
    let server = place.serve(&[]);
    let page = server.browser().get("/");
    for file in page.body.split('"').filter(|text| text.starts_with("/static/")) {
        server.browser().get(file).is(200);
    }
    assert!(!place.path("templates").exists());
}

#[test]
fn a_site_on_https_that_no_proxy_stands_before_is_warned_of_once() {
    let place = Place::new();
    let warned = |url: Option<&str>, proxies: &str| {
        let mut env = vec![("COUNTERSIGN_TRUSTED_PROXIES", proxies)];
        env.extend(url.map(|url| ("COUNTERSIGN_PUBLIC_URL", url)));
        let log = place.serve(&env).log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("trusted_proxies")).collect();
        for line in &lines {
            assert!(line.contains("\"WARN\"") && line.contains("docs/behind-a-proxy.md"), "{line}");
        }
        lines.len()
    };
    assert_eq!(warned(Some("https://site.example"), ""), 1);
    assert_eq!(warned(Some("https://site.example"), "127.0.0.1/32"), 0);
    assert_eq!(warned(Some("http://site.example"), ""), 0);
    assert_eq!(warned(None, ""), 0);
}
