//! Measures what the program costs, and compares it with floors: the least that it could cost.
//!
//! The site and the floors run at the same time and are loaded in turn, so that other work on the machine
//! slows down both. The ratios are therefore more reliable than the figures. The load generator runs on the
//! same machine and uses its share of the processor.

mod flood;
mod growth;
mod hashing;
mod page;
mod start;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::site::Program;
use crate::{Outcome, note, say};

use crate::report::{Figure, Report};

/// The options of the command `all`.
#[derive(Args)]
pub(crate) struct Options {
    /// Measure for less than a minute, with less precise figures.
    #[arg(long)]
    quick: bool,
    /// Measure only these parts.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Part>,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Path of the program to measure [default: the release build, which is built first].
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The members' page, and the redirect of visitors who are not logged in.
    Page,
    /// Logins and registrations.
    Hashing,
    /// How a flood of logins slows down members' pages.
    Flood,
    /// How long the program takes to start, and how much memory it uses when idle.
    Start,
    /// How the number of users changes pages and logins.
    Growth,
}

impl Part {
    fn measure(self, program: &Program, extent: &Extent) -> Outcome<Vec<Figure>> {
        match self {
            Self::Page => page::measure(program, extent),
            Self::Hashing => hashing::measure(program, extent),
            Self::Flood => flood::measure(program, extent),
            Self::Start => start::measure(program, extent),
            Self::Growth => growth::measure(program, extent),
        }
    }
}

/// How many rounds are measured, for how long, and with how many users.
struct Extent {
    rounds: usize,
    round: Duration,
    sizes: &'static [u64],
    begun: Instant,
}

impl Extent {
    fn new(quick: bool) -> Self {
        let begun = Instant::now();
        if quick {
            let sizes = &[1_000, 10_000];
            Self { rounds: 2, round: Duration::from_millis(1_000), sizes, begun }
        } else {
            let sizes = &[1_000, 100_000, 1_000_000];
            Self { rounds: 5, round: Duration::from_secs(4), sizes, begun }
        }
    }

    /// Yields the number of each round, and prints a line of progress before it.
    fn rounds(&self, what: &str) -> impl Iterator<Item = usize> {
        (0..self.rounds).inspect(move |round| {
            self.note(&format!("{what}, round {} of {}", round + 1, self.rounds));
        })
    }

    fn note(&self, line: &str) {
        note(&format!("{:>4} s  {line}", self.begun.elapsed().as_secs()));
    }
}

/// Measures all chosen parts, and prints a table in Markdown.
///
/// # Errors
///
/// When something could not be measured, never because a target was missed.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let program = Program::find(options.bin.as_deref())?;
    let extent = Extent::new(options.quick);
    let parts = if options.only.is_empty() { Part::value_variants() } else { &options.only };
    let mut report = Report::new(&program, options.quick);
    for part in parts {
        report.figures.extend(part.measure(&program, &extent)?);
    }
    extent.note("done");
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    say(&report.to_string())
}
