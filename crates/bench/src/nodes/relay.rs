//! A relay between a node and its database, which counts how often the node waits for an answer.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Forwards bytes in both directions until this program ends.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    trips: Arc<AtomicU64>,
}

impl Relay {
    /// Starts a relay to the server at `HOST:PORT`.
    pub(super) fn to(server: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let relay = Self { address: listener.local_addr()?, trips: Arc::default() };
        let trips = Arc::clone(&relay.trips);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // If the server cannot be reached, the client's connection is closed.
                let _ = connect(client, &server, &trips);
            }
        });
        Ok(relay)
    }

    /// Returns the number of round trips so far, on all connections.
    pub(super) fn trips(&self) -> u64 {
        self.trips.load(Ordering::SeqCst)
    }
}

fn connect(client: TcpStream, server: &str, trips: &Arc<AtomicU64>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
    // A round trip begins with the first bytes that the client sends on the connection or after an answer.
    // Further pieces of the same question or the same answer begin none.
    let is_answered = Arc::new(AtomicBool::new(true));
    let (asked, trips) = (Arc::clone(&is_answered), Arc::clone(trips));
    thread::spawn(move || {
        hand_on(from_client, server, || {
            if asked.swap(false, Ordering::SeqCst) {
                trips.fetch_add(1, Ordering::SeqCst);
            }
        });
    });
    thread::spawn(move || {
        hand_on(from_server, client, || is_answered.store(true, Ordering::SeqCst));
    });
    Ok(())
}

/// Forwards each piece, and calls `note` before it does, so that no answer can arrive earlier.
fn hand_on(mut from: TcpStream, mut to: TcpStream, note: impl Fn()) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        note();
        if to.write_all(piece.get(..read).unwrap_or_default()).is_err() {
            break;
        }
    }
    // When one side ends, the other is closed too. Errors mean that a side is already closed.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_and_its_answer_are_one_trip_in_however_many_pieces() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay::to(listener.local_addr().unwrap().to_string()).unwrap();
        let mut client = TcpStream::connect(relay.address).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut bytes = [0; 3];
        for trips in 1..=3 {
            for piece in ["a", "bc"] {
                client.write_all(piece.as_bytes()).unwrap();
                server.read_exact(&mut bytes[..piece.len()]).unwrap();
            }
            for piece in ["def", "g"] {
                server.write_all(piece.as_bytes()).unwrap();
                client.read_exact(&mut bytes[..piece.len()]).unwrap();
            }
            assert_eq!(relay.trips(), trips);
        }
        drop(client);
        assert_eq!(server.read(&mut bytes).unwrap(), 0, "the end is forwarded");
    }
}
