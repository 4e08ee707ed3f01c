//! Measures what the program does not withstand without a proxy in front of it. The figures are in
//! docs/behind-a-proxy.md; `--nocapture` prints them.
#![expect(clippy::print_stderr, reason = "a measurement prints its figures")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::crowd::{crowd, is_cut_off, limit_files, room_for, taken_by};
use crate::support::{Place, Server};

const HEADERS: &[u8] = b"GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: ";
const BODY: &[u8] = b"POST /login HTTP/1.1\r\nHost: x\r\n\
    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 8000\r\n\r\na";

/// Checks whether a new visitor gets a page within five seconds.
fn is_served(server: &Server) -> bool {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"GET /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut start = [0; 12];
    match stream.read_exact(&mut start) {
        Ok(()) => start == *b"HTTP/1.1 200",
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
            false
        }
    }
}

#[test]
fn a_bare_program_waits_for_whoever_is_slow() {
    let place = Place::new();
    let server = place.serve(&[]);
    let slow = [HEADERS, BODY, b""].map(|first| {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.write_all(first).unwrap();
        stream
    });
    // This is longer than the timeout of the edge.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(12) {
        std::thread::sleep(Duration::from_millis(500));
        for mut stream in &slow[..2] {
            stream.write_all(b"a").unwrap();
        }
    }
    assert!(slow.iter().all(|stream| !is_cut_off(stream)));
    assert!(is_served(&server));
}

#[test]
fn a_bare_program_is_full_when_its_descriptors_are() {
    let place = Place::new();
    let server = place.serve(&[]);
    // The usual limit of most systems.
    limit_files(server.id(), 1024);
    let room = room_for(1100);
    let crowd = crowd(server.port, room.count, b"");
    assert!(!is_served(&server), "other visitors have to wait");
    eprintln!("1024 descriptors, 1100 connections: nobody is served; {:?}", taken_by(server.id()));
    drop(crowd);
    let start = Instant::now();
    while !is_served(&server) {
        assert!(start.elapsed() < Duration::from_secs(30), "it has recovered");
    }
}

#[test]
fn each_connection_of_a_bare_program_costs_memory() {
    let room = room_for(10_000);
    let count = room.count;
    for (what, first) in [("silent", &b""[..]), ("half a header", HEADERS), ("half a body", BODY)] {
        let place = Place::new();
        let server = place.serve(&[]);
        assert!(is_served(&server));
        let (before, _) = taken_by(server.id());
        let crowd = crowd(server.port, count, first);
        let start = Instant::now();
        while taken_by(server.id()).1 < usize::from(count) {
            assert!(start.elapsed() < Duration::from_secs(30), "{:?}", taken_by(server.id()));
            std::thread::sleep(Duration::from_millis(50));
        }
        let (after, files) = taken_by(server.id());
        eprintln!("{count} connections, {what}: from {before} to {after} KiB, {files} files");
        // At least 1 KiB each, or the warning in the chapter would be wrong.
        assert!(after > before + u64::from(count));
        assert!(is_served(&server), "there are enough descriptors");
        drop(crowd);
    }
}
