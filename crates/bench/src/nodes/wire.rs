//! Counts what the database sees of each kind of request, while one client sends one node one request after
//! the other.

use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::{Answer, Connection};
use crate::report::Figure;
use crate::site::Site;

use super::Bench;
use super::costs::Costs;
use super::people::People;
use super::relay::Relay;
use super::requests::{Kind, login};
use super::server::Seen;

/// How much is counted.
#[derive(Clone, Copy)]
pub(super) struct Often {
    /// The number of requests of each kind. As many are sent beforehand, so that all connections of the node
    /// have prepared their statements.
    pub(super) counted: u64,
    /// How long an idle node is observed. It tidies up once a minute.
    pub(super) idle: Duration,
}

/// What was counted in a period of time.
struct Counted {
    seconds: f64,
    trips: f64,
    /// `None` if the server keeps no statistics of statements.
    seen: Option<Seen>,
}

struct Wire<'a> {
    bench: &'a Bench<'a>,
    people: &'a People<'a>,
    relay: Relay,
    often: Often,
}

pub(super) fn figures(
    bench: &Bench<'_>,
    people: &People<'_>,
    often: Often,
) -> Outcome<Vec<Figure>> {
    let relay = Relay::to(people.database.server().address()?)?;
    let wire = Wire { bench, people, relay, often };
    let idle = wire.idle()?;
    let mut figures = idle.each(idle.seconds).figures("an idle node, each second");
    for kind in Kind::ALL {
        figures.extend(wire.kind(kind, &idle)?.figures(&format!("each {}", kind.name())));
    }
    let known = "each login from a known browser";
    figures.extend(wire.known_browser(&idle)?.figures(known));
    Ok(figures)
}

impl Wire<'_> {
    fn idle(&self) -> Outcome<Counted> {
        let _node = self.node(Kind::Remembered)?;
        // Waits until the node has done its work at start-up.
        thread::sleep(Duration::from_secs(1));
        self.count(|| {
            thread::sleep(self.often.idle);
            Ok(())
        })
    }

    fn kind(&self, kind: Kind, idle: &Counted) -> Outcome<Costs> {
        let node = self.node(kind)?;
        let mut client = Connection::open(node.address)?;
        let mut ask = |times: u64| -> Outcome<()> {
            for _ in 0..times {
                sent(&mut client, &kind.request(self.people), kind.status())?;
            }
            Ok(())
        };
        ask(self.often.counted)?;
        let counted = self.count(|| ask(self.often.counted))?;
        Ok(counted.without(idle).each(self.often.counted as f64))
    }

    /// Counts logins with browsers with which the users have logged in before.
    fn known_browser(&self, idle: &Counted) -> Outcome<Costs> {
        let node = self.node(Kind::Login)?;
        let mut client = Connection::open(node.address)?;
        let mut again = Vec::new();
        for _ in 0..self.often.counted {
            let email = self.people.any_address();
            let answer = sent(&mut client, &login(self.people, &email, ""), 303)?;
            let mut cookies = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
            let cookie = cookies.find_map(|(_, cookie)| {
                cookie.split(';').next().filter(|cookie| cookie.starts_with("known_browser="))
            });
            let cookie = cookie.ok_or("a login brought no known browser")?;
            again.push(login(self.people, &email, cookie));
        }
        for request in &again {
            sent(&mut client, request, 303)?;
        }
        let counted = self.count(|| {
            again.iter().try_for_each(|request| sent(&mut client, request, 303).map(drop))
        })?;
        Ok(counted.without(idle).each(self.often.counted as f64))
    }

    fn node(&self, kind: Kind) -> Outcome<Site> {
        self.bench.node(&self.people.database.url_at(self.relay.address)?, kind.staleness())
    }

    fn count(&self, work: impl FnOnce() -> Outcome<()>) -> Outcome<Counted> {
        let database = &self.people.database;
        database.forget()?;
        let (start, trips) = (Instant::now(), self.relay.trips());
        work()?;
        let (seconds, trips) = (start.elapsed().as_secs_f64(), self.relay.trips() - trips);
        Ok(Counted { seconds, trips: trips as f64, seen: database.seen()? })
    }
}

impl Counted {
    /// Subtracts what an idle node does in the same time.
    fn without(self, idle: &Self) -> Self {
        let times = self.seconds / idle.seconds;
        let left = |all: f64, of_idle: f64| (all - of_idle * times).max(0.0);
        let seen = self.seen.zip(idle.seen.as_ref()).map(|(all, of_idle)| Seen {
            statements: left(all.statements, of_idle.statements),
            micros: left(all.micros, of_idle.micros),
            wal: left(all.wal, of_idle.wal),
        });
        Self { trips: left(self.trips, idle.trips), seen, ..self }
    }

    /// Divides the counts by the number of requests or seconds.
    fn each(&self, of: f64) -> Costs {
        let seen = self.seen.iter().flat_map(|seen| {
            [
                ("statements", seen.statements / of, ""),
                ("executing in PostgreSQL", seen.micros / of, "µs"),
                ("write-ahead log", seen.wal / of, "bytes"),
            ]
        });
        Costs::new([("round trips", self.trips / of, "")].into_iter().chain(seen))
    }
}

fn sent(client: &mut Connection, request: &[u8], status: u16) -> Outcome<Answer> {
    let (answer, _) = client.send(request)?;
    if answer.status != status {
        return Err(format!("expected the status {status}, got {}", answer.status).into());
    }
    Ok(answer)
}
