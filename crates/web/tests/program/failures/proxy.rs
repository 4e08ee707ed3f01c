//! A proxy between a program and its database, which a test can slow down.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) struct Proxy {
    pub(super) port: u16,
    /// The delay of each answer, in milliseconds.
    delay: Arc<AtomicU64>,
}

impl Proxy {
    pub(super) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, delay) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU64::new(0)));
        let shared = Arc::clone(&delay);
        // The thread ends with the tests.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (to, from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || pass(from, to, || Duration::ZERO));
                let delay = Arc::clone(&shared);
                let delay = move || Duration::from_millis(delay.load(Ordering::Relaxed));
                std::thread::spawn(move || pass(server, client, delay));
            }
        });
        Self { port, delay }
    }

    pub(super) fn slow_down(&self, delay: Duration) {
        self.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, delay: impl Fn() -> Duration) {
    let mut bytes = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        std::thread::sleep(delay());
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // An error means that the other side is already closed.
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}
