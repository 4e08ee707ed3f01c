//! Tests that `config/haproxy` keeps away from the program what it does not withstand by itself.

mod chapter;
mod haproxy;

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub(crate) use self::haproxy::{Edge, free_port, tool_of};
use crate::crowd::{address, connect, crowd, is_cut_off, room_for, taken_by};
use crate::http::{Reply, exchange};
use crate::support::EMAIL;

/// Waits until the condition holds.
#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn session_cookie(reply: &Reply) -> &str {
    reply.all("Set-Cookie").find(|cookie| cookie.starts_with("__Host-session=")).unwrap()
}

#[test]
fn people_register_and_log_in_through_the_edge() {
    let Some(edge) = Edge::start(&[]) else { return };
    for (n, version) in ["--http1.1", "--http2"].iter().enumerate() {
        let bob = edge.visitor(address(u16::try_from(n).unwrap() + 1));
        let origin = format!("Origin: https://site.example:{}", edge.https);
        let like_a_browser = [version, "--header", &origin];
        let form = format!("email=bob{n}%40example.org&username=Bob&password=tidal+lantern+orbit");
        let form = ["--data", &form];
        bob.ask("/register", &[&form[..], &like_a_browser].concat()).sees_other("/login");
        let reply = bob.log_in(&like_a_browser);
        reply.sees_other("/blogs");
        assert!(session_cookie(&reply).contains("; Secure"), "{reply:?}");
        assert!(reply.header("Strict-Transport-Security").is_some());
        bob.ask("/blogs", &[version]).is(200).shows("Hi Ada");
        bob.ask("/logout", &[&["--data", ""], &like_a_browser[..]].concat()).is(303);
        bob.ask("/blogs", &[version]).is(303);
    }
}

#[test]
fn the_address_that_is_written_down_is_the_visitors_and_not_the_one_they_claim() {
    let Some(edge) = Edge::start(&[]) else { return };
    for (n, claims) in [
        &[][..],
        &["X-Forwarded-For: 6.6.6.6"],
        &["Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6"],
        &["x-forwarded-for: 6.6.6.6", "X-Forwarded-Host: evil.example", "X-Forwarded-For;"],
    ]
    .into_iter()
    .enumerate()
    {
        let from = address(u16::try_from(n).unwrap() + 1);
        let headers: Vec<_> = claims.iter().flat_map(|claim| ["--header", claim]).collect();
        for version in ["--http1.1", "--http2"] {
            edge.visitor(from).log_in(&[&headers[..], &[version]].concat()).sees_other("/blogs");
            let list = ["audit", "list", "--kind", "user_logged_in", "--limit", "1", "--json"];
            let seen = edge.place.run(&list).works().to_owned();
            assert!(seen.contains(&format!("\"{from}\"")), "{claims:?}: {seen}");
            let sessions = edge.place.run(&["session", "list", EMAIL, "--json"]);
            assert!(!sessions.works().contains("6.6.6.6"), "{claims:?}: {sessions:?}");
        }
    }
}

#[test]
fn a_neighbours_cookie_that_is_no_text_costs_nobody_their_login() {
    let Some(edge) = Edge::start(&[]) else { return };
    let reply = edge.visitor(address(1)).log_in(&["--http1.1"]);
    let ours = session_cookie(&reply).split(';').next().unwrap().as_bytes().to_vec();
    let path = edge.place.path("cookie");
    let header = format!("@{}", path.display());
    for (before, after) in [
        (&b"theme=caf\xe9; "[..], &b""[..]),
        (b"", b"; theme=caf\xe9"),
        (b"a=1; \xff=\xfe; b=2; ", b"; c=\x80; d=4"),
    ] {
        std::fs::write(&path, [b"Cookie: ", before, &ours, after].concat()).unwrap();
        for version in ["--http1.1", "--http2"] {
            let reply = edge.visitor(address(2)).ask("/blogs", &["--header", &header, version]);
            reply.is(200).shows("Hi Ada");
        }
    }
}

#[test]
fn whoever_is_slow_is_cut_off_and_nobody_else_waits() {
    let short = [("HEADER_TIMEOUT", "2s"), ("BODY_TIMEOUT", "2s"), ("CLIENT_TIMEOUT", "2s")];
    let Some(edge) = Edge::start(&short) else { return };
    let silent = TcpStream::connect(("127.0.0.1", edge.https)).unwrap();
    let headers = b"GET /login HTTP/1.1\r\nHost: site.example\r\nX-Slow: ";
    let rest = "Host: site.example\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let body = format!("POST /login HTTP/1.1\r\n{rest}Content-Length: 1000\r\n\r\n");
    let chunks = format!("POST /login HTTP/1.1\r\n{rest}Transfer-Encoding: chunked\r\n\r\n3e8\r\n");
    std::thread::scope(|scope| {
        let senders: Vec<_> = [&headers[..], body.as_bytes(), chunks.as_bytes()]
            .into_iter()
            .map(|first| scope.spawn(|| edge.trickle(first)))
            .collect();
        let ada = edge.visitor(address(1));
        while senders.iter().any(|sender| !sender.is_finished()) {
            ada.ask("/login", &[]).is(200);
        }
        for sender in senders {
            let (answer, took) = sender.join().unwrap();
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
            assert!(took > Duration::from_secs(1), "it was cut off too early: {took:?}");
        }
    });
    wait_until("a silent client is cut off", || is_cut_off(&silent));
    // The same in HTTP/2: one or two bytes each second of a form that announced 1000.
    edge.place.write("body", "a".repeat(1000));
    let body = format!("@{}", edge.place.path("body").display());
    let slowly = ["--http2", "--limit-rate", "20", "--data-binary", &body];
    let reply = edge.visitor(address(2)).try_ask("/login", &slowly);
    assert!(reply.is_err() || reply.is_ok_and(|reply| reply.status == 408));
    let answered = edge.answered();
    assert!(answered.contains("method=\"GET\",route=\"/login\""), "{answered}");
    assert!(!answered.contains("method=\"POST\""), "none has reached the program: {answered}");
    assert_eq!(edge.log().matches(" 408 ").count(), 4, "{}", edge.log());
}

#[test]
fn ten_thousand_idle_connections_keep_nobody_out() {
    let room = room_for(10_000);
    let count = room.count;
    let most = (count + 500).to_string();
    let patient =
        [("MAX_CONNECTIONS", most.as_str()), ("HEADER_TIMEOUT", "10m"), ("CLIENT_TIMEOUT", "10m")];
    let Some(edge) = Edge::start(&patient) else { return };
    let ada = edge.visitor(address(60_000));
    ada.log_in(&[]).sees_other("/blogs");
    ada.ask("/blogs", &[]).is(200);
    let (before, _) = taken_by(edge.server.id());
    let silent = crowd(edge.https, count / 2, b"");
    let half = crowd(edge.http, count / 2, b"GET / HTTP/1.1\r\nHost: site.example\r\nX-Slow: ");
    for _ in 0..10 {
        ada.ask("/blogs", &[]).is(200).shows("Hi Ada");
    }
    let is_there = |stream: &&TcpStream| !is_cut_off(stream);
    let there = silent.iter().chain(&half).filter(is_there).count();
    assert_eq!(there, usize::from(count / 2) * 2, "they are all connected");
    let (after, files) = taken_by(edge.server.id());
    assert!(files < 200, "the program has {files} files open");
    assert!(after < before + 64 * 1024, "the program grew from {before} to {after} KiB");
    edge.visitor(address(60_001)).log_in(&[]).sees_other("/blogs");
}

#[test]
fn more_connections_than_its_share_are_refused_to_an_address() {
    let Some(edge) = Edge::start(&[("MAX_PER_SOURCE", "20")]) else { return };
    let (greedy, other) = (address(1), address(2));
    // The limit applies to both ports together.
    let mut held: Vec<_> = (0..10).map(|_| connect(greedy, edge.http, b"")).collect();
    held.extend((0..30).map(|_| connect(greedy, edge.https, b"")));
    let is_refused = |tried: &&io::Result<TcpStream>| tried.as_ref().map_or(true, is_cut_off);
    let refused = || held.iter().filter(is_refused).count();
    wait_until("twenty are refused", || refused() == 20);
    assert!(edge.visitor(greedy).try_ask("/login", &[]).is_err());
    edge.visitor(other).log_in(&[]).sees_other("/blogs");
    drop(held);
    wait_until("its share is free again", || edge.visitor(greedy).try_ask("/login", &[]).is_ok());
    edge.visitor(greedy).log_in(&[]).sees_other("/blogs");
}

#[test]
fn what_is_larger_than_the_program_takes_does_not_reach_it() {
    let Some(edge) = Edge::start(&[]) else { return };
    let ada = edge.visitor(address(1));
    edge.place.write("large", "a".repeat(8193));
    let large = format!("@{}", edge.place.path("large").display());
    let header = format!("X-Large: {}", "a".repeat(17_000));
    for version in ["--http1.1", "--http2"] {
        let body = [version, "--header", "Expect:", "--data-binary", &large];
        let chunked = [&body[..], &["--header", "Transfer-Encoding: chunked"]].concat();
        for arguments in [&body[..], &chunked] {
            // In HTTP/2, curl may see the end of its stream before it reads the answer.
            let reply = ada.try_ask("/login", arguments);
            assert!(
                reply.as_ref().map_or(*version == *"--http2", |r| r.status == 413),
                "{reply:?}"
            );
        }
        ada.ask("/login", &[version, "--header", &header]).is(431);
    }
    assert!(!edge.answered().contains("method=\"POST\""), "{}", edge.answered());
}

#[test]
fn plain_http_leads_to_https_and_takes_no_password() {
    let Some(edge) = Edge::start(&[]) else { return };
    let ask = |line: &str| {
        let request = format!("{line}\r\nHost: site.example\r\nConnection: close\r\n\r\n");
        exchange(edge.http, request.as_bytes()).unwrap()
    };
    let reply = ask("GET /login?next=%2Fblogs HTTP/1.1");
    let location = "https://site.example/login?next=%2Fblogs";
    assert_eq!(reply.is(301).header("location"), Some(location));
    ask("POST /login HTTP/1.1\r\nContent-Length: 0").is(403);
}
