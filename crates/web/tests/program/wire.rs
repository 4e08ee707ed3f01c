//! Tests that need a raw socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::http::exchange;
use crate::support::{EMAIL, PASSWORD, Place};

#[test]
fn methods_and_headers_as_they_are_on_the_wire() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[]);
    let mut ada = server.member(EMAIL, PASSWORD);

    let head = ada.send("HEAD", "/blogs", &[]);
    assert_eq!(head.is(200).body, "");
    assert!(head.header("Content-Length").unwrap().parse::<u64>().unwrap() > 0);

    for method in ["TRACE", "OPTIONS", "CONNECT", "PROPFIND"] {
        let reply = ada.send(method, "/blogs", &[("X-Secret", "hunter2")]);
        assert!(reply.status >= 400, "{method}: {reply:?}");
        assert!(!reply.body.contains("hunter2"), "{method} echoes");
    }

    for reply in [
        ada.get("/"),
        ada.get("/nowhere"),
        ada.get("/login"),
        ada.get("/health/live"),
        ada.send("POST", "/logout", &[("Sec-Fetch-Site", "cross-site")]),
    ] {
        assert_eq!(reply.header("Server"), None, "{reply:?}");
        assert_eq!(reply.header("X-Frame-Options"), Some("DENY"));
        assert_eq!(reply.all("Content-Security-Policy").count(), 1);
        assert_eq!(reply.all("Cache-Control").collect::<Vec<_>>(), ["no-store"]);
    }
    ada.get("/blogs").is(200);
}

#[test]
fn what_is_not_http_is_refused_and_the_next_request_is_served() {
    let place = Place::new();
    let server = place.serve(&[]);
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(200_000));
    for request in [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        &long,
    ] {
        if let Ok(reply) = exchange(server.port, request.as_bytes()) {
            assert!((400..500).contains(&reply.status), "{reply:?}");
        }
    }
    server.browser().get("/health/ready").is(200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn two_session_cookies_on_the_wire_count_as_none() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[]);
    let token = server.member(EMAIL, PASSWORD).token();
    let request = |cookies: &str| {
        let request =
            format!("GET /blogs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{cookies}\r\n");
        exchange(server.port, request.as_bytes()).unwrap().status
    };
    let own = format!("session={token}");
    assert_eq!(request(&format!("Cookie: {own}\r\n")), 200);
    assert_eq!(request(&format!("Cookie: {own}\r\nCookie: {own}\r\n")), 303);
    assert_eq!(request(&format!("Cookie: {own}; {own}\r\n")), 303);
    assert_eq!(request(&format!("Cookie: a=b; %73ession={token}\r\n")), 303);
}

#[test]
fn a_method_field_in_a_form_is_refused_on_the_wire() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[]);
    let mut ada = server.member(EMAIL, PASSWORD);
    for method in ["GET", "get", "PUT", "DELETE", "HEAD", "head", "POST", "x"] {
        ada.post("/logout", &[("_method", method)]).is(400);
        let cross_site = [("Sec-Fetch-Site", "cross-site")];
        for body in [format!("_method={method}"), format!("&&_method={method}")] {
            ada.try_send("POST", "/logout", &cross_site, &body).unwrap().is(403);
            ada.try_send("POST", "/logout", &[], &body).unwrap().is(400);
        }
    }
    ada.get("/blogs").is(200);
}

#[test]
fn a_body_makes_no_other_request_of_a_get() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[]);
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("_method", "post"), ("email", EMAIL), ("password", PASSWORD)])
        .finish();
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let mut visitor = server.browser();
        let answer = visitor.try_send(method, "/login", &[], &body).unwrap();
        assert_eq!((answer.status, answer.all("Set-Cookie").count()), (400, 0), "{method}");
    }
    let mut ada = server.member(EMAIL, PASSWORD);
    ada.try_send("GET", "/blogs", &[], "email=a").unwrap().is(200);
}

#[test]
fn a_browser_that_says_its_origin_alone_logs_in_on_whatever_port_was_free() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[]);
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("email", EMAIL), ("password", PASSWORD)])
        .finish();
    let origin = format!("http://127.0.0.1:{}", server.port);
    let reply = server.browser().try_send("POST", "/login", &[("Origin", &origin)], &body);
    reply.unwrap().sees_other("/blogs");
}

#[test]
fn behind_a_trusted_proxy_the_session_is_of_the_client_that_it_names() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let form =
        format!("email={}&password={}", EMAIL.replace('@', "%40"), PASSWORD.replace(' ', "+"));
    let seen = |trusted: &str, headers: &[u8]| {
        let server = place.serve(&[("COUNTERSIGN_TRUSTED_PROXIES", trusted)]);
        let mut request = b"POST /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".to_vec();
        request.extend_from_slice(headers);
        let length = form.len();
        let kind = "application/x-www-form-urlencoded";
        let rest = format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{form}");
        request.extend_from_slice(rest.as_bytes());
        exchange(server.port, &request).unwrap().sees_other("/blogs");
        let sessions = place.run(&["session", "list", EMAIL, "--json"]).json();
        place.run(&["session", "revoke", "--user", EMAIL, "--all"]).works();
        sessions[0]["address"].as_str().unwrap().to_owned()
    };
    let two_lines = b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 198.51.100.1, 10.1.1.1\r\n";
    assert_eq!(seen("127.0.0.1,10.0.0.0/8", two_lines), "198.51.100.1");
    assert_eq!(seen("10.0.0.0/8", two_lines), "127.0.0.1");
    // A client may spoil the header that a proxy appends to, and add headers of its own.
    let vanishes = b"X-Forwarded-For: \xff, 198.51.100.1\r\nX-Forwarded-Proto: https\r\n\
                     Forwarded: for=6.6.6.6\r\n";
    assert_eq!(seen("127.0.0.1", vanishes), "127.0.0.1");
    let standard = b"Forwarded: for=6.6.6.6, for=\"[2001:db8::7]:4711\";proto=https\r\n";
    assert_eq!(seen("127.0.0.1", standard), "2001:db8::7");
}

#[test]
fn nobody_is_answered_in_http_2() {
    let place = Place::new();
    let server = place.serve(&[]);
    // The preface and an empty SETTINGS frame (RFC 9113, section 3.4), and the upgrade from HTTP/1.1
    // (RFC 7540, section 3.2).
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let upgrade =
        b"GET /login HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
                    Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    for (request, is_page) in [(&preface[..], false), (upgrade, true)] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        // The connection may be reset instead of closed.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{answer:?}");
        assert_eq!(answer.starts_with(b"HTTP/1.1 200 "), is_page, "{answer:?}");
    }
}
