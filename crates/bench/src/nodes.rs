//! Measures what one or several nodes cost on one PostgreSQL server, and what that server sees of them.
//!
//! The load, the nodes and the database share one machine, so the rates do not show how far several machines
//! scale. The costs of each request to a node and to the database do: use them to plan capacity.

mod costs;
mod limit;
mod people;
mod relay;
mod requests;
mod server;
mod used;
mod wire;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::load::{Load, Plan};
use crate::report::{Figure, Report};
use crate::site::{Program, Site};
use crate::stats::Samples;
use crate::{Outcome, note, say};

use costs::Costs;
use limit::Browsers;
use people::People;
use requests::Kind;
use server::Server;
use wire::Often;

/// The options of the command `nodes`.
#[derive(Args)]
pub(crate) struct Options {
    /// Measure for half a minute, with less precise figures.
    #[arg(long)]
    quick: bool,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Path of the program to measure [default: the release build, which is built first].
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
    /// URL of a PostgreSQL server, without a database, such as `postgres://postgres@127.0.0.1:5432`
    /// [default: a temporary server].
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Number of sessions in the database, ten for each user. With several numbers, one database is made for
    /// each, and the others are compared with the first.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [10_000])]
    sessions: Vec<u64>,
    /// Number of nodes that share the database. Each number is measured.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 2, 3])]
    nodes: Vec<usize>,
}

/// Enough connections to keep the nodes busy, and few enough to leave them most of the processor.
const CONNECTIONS: u64 = 16;

/// Settings for sessions that were inserted beforehand, for other browsers, and that must outlive the
/// measurement. The load generator acts as a trusted proxy that names the address of each client.
const SETTINGS: [(&str, &str); 4] = [
    ("COUNTERSIGN_TRUSTED_PROXIES", "127.0.0.1"),
    ("COUNTERSIGN_SESSION__PROTECTION", "off"),
    ("COUNTERSIGN_SESSION__IDLE_TIMEOUT", "30d"),
    ("COUNTERSIGN_SESSION__ABSOLUTE_TIMEOUT", "30d"),
];

/// Measures everything, and prints a table in Markdown.
///
/// # Errors
///
/// When something could not be measured, never because of the figures.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let program = Program::find(options.bin.as_deref())?;
    let server = Server::find(options.postgres.as_deref())?;
    let mut report = Report::new(&program, options.quick);
    let (rounds, millis, counted, idle) =
        if options.quick { (1, 500, 30, 1) } else { (3, 5_000, 200, 61) };
    let bench = Bench { program: &program, rounds, round: Duration::from_millis(millis) };
    let often = Often { counted, idle: Duration::from_secs(idle) };
    // The figures so far are reported even if a later measurement failed, since they took long.
    let measured = bench.all(options, &server, often, &mut report.figures);
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    say(&report.to_string())?;
    measured
}

struct Bench<'a> {
    program: &'a Program,
    /// The number of rounds. Each round measures everything that is compared in turn, since the other load of
    /// the machine varies.
    rounds: usize,
    round: Duration,
}

impl Bench<'_> {
    fn all(
        &self,
        options: &Options,
        server: &Server,
        often: Often,
        figures: &mut Vec<Figure>,
    ) -> Outcome<()> {
        let start = |url: &str| self.node(url, "1s");
        let sites = options.sessions.iter().map(|count| People::make(server, *count, start));
        let sites = sites.collect::<Outcome<Vec<_>>>()?;
        let (first, others) = sites.split_first().ok_or("--sessions names no number")?;
        server.settle()?;
        let rows =
            [("users", "a user"), ("sessions", "a session"), ("known_browsers", "a browser")];
        for site in &sites {
            for (table, one) in rows {
                figures.extend(site.size(table, one)?);
            }
        }
        figures.extend(self.growth(first, others)?);
        figures.extend(wire::figures(self, first, often)?);
        figures.extend(self.several(first, &options.nodes)?);
        figures.extend(first.size("audit_events", "a record of the trail")?);
        figures.extend(used::costs(first)?.figures("a session in use, each minute"));
        // Comes last: each login ends an inserted session of its user.
        figures.extend(self.limit(first, &options.nodes)?);
        Ok(())
    }

    fn node(&self, url: &str, staleness: &str) -> Outcome<Site> {
        let own =
            [("COUNTERSIGN_DATABASE_URL", url), ("COUNTERSIGN_SESSION__MAX_STALENESS", staleness)];
        let settings: Vec<_> = SETTINGS.into_iter().chain(own).collect();
        Site::start(self.program, &settings)
    }

    /// Measures one and several nodes on one database.
    fn several(&self, people: &People<'_>, nodes: &[usize]) -> Outcome<Vec<Figure>> {
        let mut figures = Vec::new();
        for kind in Kind::ALL {
            let all = self.in_turns(nodes, |count| self.costs(people, *count, kind))?;
            for (count, costs) in nodes.iter().zip(all) {
                figures.extend(costs.figures(&format!("{count} nodes, {}", kind.name())));
            }
        }
        Ok(figures)
    }

    /// Measures logins without hashes.
    fn limit(&self, people: &People<'_>, nodes: &[usize]) -> Outcome<Vec<Figure>> {
        let from = |browsers: &Browsers| nodes.iter().map(|count| (*browsers, *count)).collect();
        let these: Vec<(Browsers, usize)> =
            Browsers::ALL.iter().flat_map(|browsers| -> Vec<_> { from(browsers) }).collect();
        let all = self.in_turns(&these, |(browsers, count)| {
            limit::costs(people, *count, *browsers, self.round)
        })?;
        let figures = these.iter().zip(all).flat_map(|((browsers, count), costs)| {
            costs.figures(&format!("{count} nodes, logins without hashes, {}", browsers.name()))
        });
        Ok(figures.collect())
    }

    /// Measures one node on a small database and on large ones.
    fn growth(&self, small: &People<'_>, large: &[People<'_>]) -> Outcome<Vec<Figure>> {
        let mut figures = Vec::new();
        if large.is_empty() {
            return Ok(figures);
        }
        let sites: Vec<_> = std::iter::once(small).chain(large).collect();
        for kind in [Kind::Asked, Kind::Login] {
            let all = self.in_turns(&sites, |people| self.costs(people, 1, kind))?;
            let Some((floor, others)) = all.split_first() else { continue };
            for (people, costs) in large.iter().zip(others) {
                let what = format!("{} sessions, {}", people.sessions, kind.name());
                figures.extend(costs.figures_against(floor, &what));
            }
        }
        Ok(figures)
    }

    /// Measures each of these in turn, round by round, and returns the median costs of each.
    fn in_turns<T>(
        &self,
        these: &[T],
        measure: impl Fn(&T) -> Outcome<Costs>,
    ) -> Outcome<Vec<Costs>> {
        let mut all: Vec<Vec<Costs>> = these.iter().map(|_| Vec::new()).collect();
        for round in 1..=self.rounds {
            for (one, of_one) in these.iter().zip(&mut all) {
                of_one.push(measure(one)?);
            }
            note(&format!("round {round} of {}", self.rounds));
        }
        Ok(all.iter().map(|rounds| Costs::median(rounds)).collect())
    }

    /// Starts this many nodes, and measures what requests of a kind cost on them.
    fn costs(&self, people: &People<'_>, nodes: usize, kind: Kind) -> Outcome<Costs> {
        let url = people.database.url();
        let nodes = (0..nodes).map(|_| self.node(&url, kind.staleness()));
        let nodes = nodes.collect::<Outcome<Vec<_>>>()?;
        // A first load opens connections and prepares their statements.
        let warm = || self.put_on(&nodes, self.round / 4, people, kind);
        let measure = || self.put_on(&nodes, self.round, people, kind);
        // On a machine that is busy with other work, a node may answer once that it is overloaded.
        warm().and_then(|_| measure()).or_else(|error| {
            note(&format!("trying again: {error}"));
            measure()
        })
    }

    /// Loads all nodes evenly.
    fn put_on(
        &self,
        nodes: &[Site],
        duration: Duration,
        people: &People<'_>,
        kind: Kind,
    ) -> Outcome<Costs> {
        let plan = Plan::flat_out(CONNECTIONS / nodes.len().max(1) as u64, duration);
        let server = people.database.server();
        let cpu = || -> Outcome<Duration> {
            nodes.iter().map(|node| node.process().cpu()).sum::<Outcome<Duration>>()
        };
        people.database.forget()?;
        let (node, database) = (cpu()?, server.cpu()?);
        let loads = thread::scope(|scope| {
            let loads = nodes.iter().map(|node| {
                let load = || plan.put_on(node.address, |_, _| kind.request(people));
                scope.spawn(move || load().map_err(|error| error.to_string()))
            });
            let loads: Vec<_> = loads.collect();
            let joined = loads
                .into_iter()
                .map(|load| load.join().unwrap_or_else(|_| Err("a client panicked".to_owned())));
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        let node = cpu()?.saturating_sub(node);
        let database = server.cpu()?.zip(database).map(|(now, then)| now.saturating_sub(then));
        let seen = people.database.seen()?;
        let loads: Vec<_> =
            loads.into_iter().map(|load| load.all(kind.status())).collect::<Outcome<_>>()?;
        let requests = loads.iter().map(Load::requests).sum::<u64>().max(1) as f64;
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / requests;
        // The latency of the slowest node counts.
        let worst = |q| Samples::new(loads.iter().map(|load| load.latencies.quantile(q)));
        let mut costs = vec![
            ("rate", loads.iter().map(Load::rate).sum(), "/s"),
            ("p50", worst(0.5).quantile(1.0), "ms"),
            ("p99", worst(0.99).quantile(1.0), "ms"),
            ("processor of the nodes", micros(node), "µs"),
        ];
        costs.extend(database.map(|time| ("processor of PostgreSQL", micros(time), "µs")));
        costs.extend(seen.map(|seen| ("executing in PostgreSQL", seen.micros / requests, "µs")));
        Ok(Costs::new(costs))
    }
}
