//! Checks whether the login reveals that an account exists.
//!
//! It tries accounts of several kinds with a wrong password. The answers must be the same, byte for byte,
//! and their times must come from one distribution. A control, which is refused before a password is
//! hashed, must be told apart: otherwise the measurement proves nothing.

mod door;
mod hashes;
mod people;
mod report;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write, stderr};
use std::path::PathBuf;

use clap::Args;
use fastrand::Rng;

use crate::client::Connection;
use crate::site::{Program, Site};
use crate::{Outcome, note, say};

use door::{Door, Seen};
use people::{Kind, People};
use report::{DoorReport, Report};

/// The options of the command `enumerate`.
#[derive(Args)]
pub(crate) struct Options {
    /// Number of tries for each kind of account at each door.
    #[arg(long, value_name = "N", default_value_t = 300)]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=10_000))]
    tries: u32,
    /// Raise the cost of hashes after half of the users have registered.
    #[arg(long)]
    raised: bool,
    /// Seed that repeats the order and the addresses of another run.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Print JSON instead of Markdown.
    #[arg(long)]
    json: bool,
    /// Path of the program to measure [default: the release build, which is built first].
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
}

/// The distinct answers to one kind of account, and the time of each try in milliseconds.
#[derive(Debug, Default)]
struct Tried {
    seen: Vec<Seen>,
    times: Vec<f64>,
}

/// Tries every kind of account at every door, and prints a report.
///
/// # Errors
///
/// When nothing could be measured.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut rng = Rng::with_seed(seed);
    let program = Program::find(options.bin.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    note("counting hashes");
    let hashes = runtime.block_on(hashes::count())?;

    // The throttle is off. Other tests check that it treats unknown accounts like known ones.
    let mut settings = vec![("COUNTERSIGN_THROTTLE__ENABLED", "false")];
    let passes = people::RAISED_PASSES.to_string();
    if options.raised {
        settings.push(("COUNTERSIGN_ARGON2__ITERATIONS", &passes));
    }
    let site = Site::start(&program, &settings)?;
    note("making accounts");
    let url = site.database_url();
    let people = runtime.block_on(People::make(&url, options.raised, &mut rng))?;
    // The threads of the runtime would disturb the measurement.
    drop(runtime);

    let mut doors = Vec::new();
    for door in Door::ALL {
        let tried = try_all(&site, door, &people, options.tries, &mut rng)?;
        doors.push(DoorReport::new(door, &tried));
    }
    let report = Report::new(&program, seed, options, doors, hashes);
    say(if options.json { serde_json::to_string_pretty(&report)? } else { report.to_string() }
        .trim())
}

/// Tries each kind once in every round, in random order, on one connection. So anything that slows the
/// machine down for a while slows down all kinds alike.
fn try_all(
    site: &Site,
    door: Door,
    people: &People,
    tries: u32,
    rng: &mut Rng,
) -> Outcome<BTreeMap<Kind, Tried>> {
    let mut connection = Connection::open(site.address)?;
    let mut all: BTreeMap<Kind, Tried> = BTreeMap::new();
    let mut order = Kind::ALL;
    let warm_up = (tries / 10).clamp(2, 30);
    for round in 0..warm_up + tries {
        progress(door, round.saturating_sub(warm_up), tries);
        rng.shuffle(&mut order);
        for kind in order {
            let address = people.one(kind, rng)?;
            let request = door.request(address, kind.password());
            let (answer, time) = connection.send(&request)?;
            if matches!(answer.status, 429 | 503) {
                return Err(format!("the site was too busy: it answered {}", answer.status).into());
            }
            if round >= warm_up {
                let tried = all.entry(kind).or_default();
                tried.times.push(time.as_secs_f64() * 1000.0);
                let seen = Seen::of(&answer, address);
                if !tried.seen.contains(&seen) {
                    tried.seen.push(seen);
                }
            }
        }
    }
    progress(door, tries, tries);
    Ok(all)
}

/// Shows the progress: on a terminal as one line that is overwritten, elsewhere as a line for each quarter.
fn progress(door: Door, done: u32, of: u32) {
    let line = format!("{}: {done} of {of}", door.name());
    if stderr().is_terminal() {
        let end = if done == of { "\n" } else { "" };
        // A failure to write to standard error cannot be reported anywhere.
        let _ = write!(stderr(), "\r{line}{end}");
    } else if done > 0 && done.is_multiple_of(of.div_ceil(4)) || done == of {
        note(&line);
    }
}
