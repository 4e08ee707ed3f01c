//! Runs many clients at once, each as fast as it is answered or at a fixed pace.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::Connection;
use crate::stats::Samples;

/// The results of a load.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// The number of answers with each status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) seconds: f64,
    /// The times from the first byte written to the last byte read, in milliseconds.
    pub(crate) latencies: Samples,
}

impl Load {
    pub(crate) fn requests(&self) -> u64 {
        self.statuses.values().sum()
    }

    pub(crate) fn rate(&self) -> f64 {
        self.requests() as f64 / self.seconds
    }

    /// Returns the load if every answer had this status.
    ///
    /// # Errors
    ///
    /// When an answer had another status, so that something else was measured.
    pub(crate) fn all(self, status: u16) -> Outcome<Self> {
        if self.requests() == 0 || self.statuses.keys().any(|found| *found != status) {
            let found = self.statuses.iter().map(|(status, n)| format!("{n} × {status}"));
            let found = found.collect::<Vec<_>>().join(", ");
            return Err(format!("expected only answers {status}, got {found}").into());
        }
        Ok(self)
    }
}

/// How many clients send requests, for how long, and how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) connections: u64,
    pub(crate) duration: Duration,
    /// The least time between two requests of one connection; zero to send as fast as answers come.
    pub(crate) pace: Duration,
}

impl Plan {
    pub(crate) fn flat_out(connections: u64, duration: Duration) -> Self {
        Self { connections, duration, pace: Duration::ZERO }
    }

    /// Sends requests on all connections. `next` makes each request from the number of its connection and the
    /// number of requests sent on it before.
    pub(crate) fn put_on(
        self,
        site: SocketAddr,
        next: impl Fn(u64, u64) -> Vec<u8> + Sync,
    ) -> Outcome<Load> {
        let next = &next;
        let start = Instant::now();
        let done = thread::scope(|scope| {
            let clients = (0..self.connections).map(|number| {
                scope.spawn(move || self.client(site, start, |nth| next(number, nth)))
            });
            let clients: Vec<_> = clients.collect();
            let joined = clients.into_iter().map(|client| {
                client.join().unwrap_or_else(|_| Err(std::io::Error::other("a client panicked")))
            });
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        let mut load = Load { seconds: start.elapsed().as_secs_f64(), ..Load::default() };
        let mut latencies = Vec::new();
        for (status, latency) in done.into_iter().flatten() {
            *load.statuses.entry(status).or_default() += 1;
            latencies.push(latency.as_secs_f64() * 1000.0);
        }
        load.latencies = Samples::new(latencies);
        Ok(load)
    }

    fn client(
        self,
        site: SocketAddr,
        start: Instant,
        next: impl Fn(u64) -> Vec<u8>,
    ) -> Result<Vec<(u16, Duration)>, std::io::Error> {
        let mut connection = Connection::open(site)?;
        let mut done = Vec::new();
        while start.elapsed() < self.duration {
            let begun = Instant::now();
            let (answer, latency) = connection.send(&next(done.len() as u64))?;
            done.push((answer.status, latency));
            thread::sleep(self.pace.saturating_sub(begun.elapsed()));
        }
        Ok(done)
    }
}
