//! What one program and several cost on one PostgreSQL, and what that sees of them.
//!
//! The load, the programs and the database share one machine, so that no rate says how far several
//! machines get. What each request costs a node and the database does, for that is what a capacity
//! is reckoned from.

mod people;
mod server;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::client::post;
use crate::load::{Load, Plan};
use crate::population::PASSWORD;
use crate::report::{Figure, Report};
use crate::site::{Program, Site};
use crate::stats::Samples;
use crate::{Outcome, note, say};

use people::People;
use server::{Seen, Server};

/// What is measured, and on what.
#[derive(Args)]
pub(crate) struct Options {
    /// Takes a minute, and says less.
    #[arg(long)]
    quick: bool,
    /// Writes the figures to this file too, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The program; without it the release build is brought up to date and used.
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
    /// A server of PostgreSQL without a database, such as `postgres://postgres@127.0.0.1:5432`;
    /// without it one is started that is gone afterwards.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// How many sessions there are before anything is measured, ten of each user.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    sessions: u64,
    /// How many programs share the database, one measurement for each.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 2, 3])]
    nodes: Vec<usize>,
}

/// Enough to keep the nodes busy, and few enough to leave them the processor.
const CONNECTIONS: u64 = 16;

/// The sessions were made before, from other browsers, and outlive the measurement; one machine is
/// every client.
const SETTINGS: [(&str, &str); 4] = [
    ("COUNTERSIGN_THROTTLE__ENABLED", "false"),
    ("COUNTERSIGN_SESSION__PROTECTION", "off"),
    ("COUNTERSIGN_SESSION__IDLE_TIMEOUT", "30d"),
    ("COUNTERSIGN_SESSION__ABSOLUTE_TIMEOUT", "30d"),
];

/// Measures, and prints a table in Markdown.
///
/// # Errors
///
/// When something could not be measured, never because of what it came to.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let program = Program::find(options.bin.as_deref())?;
    let server = Server::find(options.postgres.as_deref())?;
    let mut report = Report::new(&program, options.quick);
    let round = Duration::from_secs(if options.quick { 2 } else { 10 });
    let bench = Bench { program: &program, server: &server, round };
    note(&format!("making {} sessions", options.sessions));
    let people = {
        let site = bench.node("1s")?;
        People::make(&server, &site, options.sessions)?
    };
    report.figures.extend(people.sizes(&server)?);
    for &nodes in &options.nodes {
        for staleness in ["1s", "0s"] {
            report.figures.extend(bench.pages(&people, nodes, staleness)?);
        }
        report.figures.extend(bench.hashing(&people, nodes)?);
    }
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    say(&report.to_string())
}

struct Bench<'a> {
    program: &'a Program,
    server: &'a Server,
    round: Duration,
}

/// A load on all nodes, and what it took.
struct Taken {
    requests: u64,
    rate: f64,
    /// Of the node that answered last, in milliseconds.
    p50: f64,
    p99: f64,
    node: Duration,
    /// `None` where the server is not one of ours.
    database: Option<Duration>,
    /// `None` where it keeps no statistics of statements.
    seen: Option<Seen>,
}

impl Bench<'_> {
    fn node(&self, staleness: &str) -> Outcome<Site> {
        let url = self.server.database_url();
        let own = [
            ("COUNTERSIGN_DATABASE_URL", url.as_str()),
            ("COUNTERSIGN_SESSION__MAX_STALENESS", staleness),
        ];
        let settings: Vec<_> = SETTINGS.into_iter().chain(own).collect();
        Site::start(self.program, &settings)
    }

    fn nodes(&self, count: usize, staleness: &str) -> Outcome<Vec<Site>> {
        (0..count).map(|_| self.node(staleness)).collect()
    }

    fn pages(&self, people: &People, count: usize, staleness: &str) -> Outcome<Vec<Figure>> {
        let nodes = self.nodes(count, staleness)?;
        let page = || people.members_page();
        self.put_on(&nodes, self.round / 4, 200, &page)?;
        let what = format!("{count} nodes, staleness {staleness}: members' page");
        Ok(self.put_on(&nodes, self.round, 200, &page)?.figures(&what))
    }

    fn hashing(&self, people: &People, count: usize) -> Outcome<Vec<Figure>> {
        let nodes = self.nodes(count, "1s")?;
        let login =
            || post("/login", &[], &[("email", &people.any_address()), ("password", PASSWORD)]);
        let register = || {
            let email = people.new_address();
            let fields = [("email", &*email), ("username", "Newcomer"), ("password", PASSWORD)];
            post("/register", &[], &fields)
        };
        self.put_on(&nodes, self.round / 4, 303, &login)?;
        let logins = self.put_on(&nodes, self.round, 303, &login)?;
        self.put_on(&nodes, self.round / 4, 303, &register)?;
        let newcomers = self.put_on(&nodes, self.round, 303, &register)?;
        let mut figures = logins.figures(&format!("{count} nodes: login"));
        figures.extend(newcomers.figures(&format!("{count} nodes: registration")));
        Ok(figures)
    }

    /// Loads all nodes evenly.
    fn put_on(
        &self,
        nodes: &[Site],
        duration: Duration,
        status: u16,
        next: &(impl Fn() -> Vec<u8> + Sync),
    ) -> Outcome<Taken> {
        let plan = Plan::flat_out(CONNECTIONS / nodes.len().max(1) as u64, duration);
        let cpu = || -> Outcome<Duration> {
            nodes.iter().map(|node| node.process().cpu()).sum::<Outcome<Duration>>()
        };
        self.server.forget()?;
        let (node, database) = (cpu()?, self.server.cpu()?);
        let loads = thread::scope(|scope| {
            let loads = nodes.iter().map(|node| {
                let load = || plan.put_on(node.address, |_, _| next());
                scope.spawn(move || load().map_err(|error| error.to_string()))
            });
            let loads: Vec<_> = loads.collect();
            let joined = loads
                .into_iter()
                .map(|load| load.join().unwrap_or_else(|_| Err("a client panicked".to_owned())));
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        let loads: Vec<_> =
            loads.into_iter().map(|load| load.all(status)).collect::<Outcome<_>>()?;
        let node = cpu()?.saturating_sub(node);
        let database = self.server.cpu()?.zip(database).map(|(now, then)| now.saturating_sub(then));
        let worst = |q| Samples::new(loads.iter().map(|load| load.latencies.quantile(q)));
        Ok(Taken {
            requests: loads.iter().map(Load::requests).sum(),
            rate: loads.iter().map(Load::rate).sum(),
            p50: worst(0.5).quantile(1.0),
            p99: worst(0.99).quantile(1.0),
            node,
            database,
            seen: self.server.seen()?,
        })
    }
}

impl Taken {
    fn figures(&self, what: &str) -> Vec<Figure> {
        let each = |total: f64| total / self.requests.max(1) as f64;
        let micros = |time: Duration| each(time.as_secs_f64() * 1e6);
        let figure = |of: &str, value, unit| Figure::new(&format!("{what}: {of}"), value, unit);
        let mut figures = vec![
            figure("rate", self.rate, "/s"),
            figure("p50", self.p50, "ms"),
            figure("p99", self.p99, "ms"),
            figure("processor of the nodes", micros(self.node), "µs"),
        ];
        figures.extend(
            self.database.map(|time| figure("processor of PostgreSQL", micros(time), "µs")),
        );
        if let Some(seen) = &self.seen {
            figures.push(figure("statements", each(seen.statements), ""));
            figures.push(figure("executing in PostgreSQL", each(seen.micros), "µs"));
            figures.push(figure("write-ahead log", each(seen.wal), "bytes"));
        }
        figures
    }
}
