//! What the program costs, next to what it cannot cost less than.
//!
//! The site and the floors run at the same time and are loaded in turn, so that whatever else the
//! machine does meets both: the ratios say more than the figures. The load comes from the same
//! machine, and takes its share of it.

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

/// What is measured, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Takes less than a minute, and says less.
    #[arg(long)]
    quick: bool,
    /// Measures these alone.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Part>,
    /// Writes the figures to this file too, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The program; without it the release build is brought up to date and used.
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The members' page, and who is sent to log in.
    Page,
    /// Logging in and registering.
    Hashing,
    /// What a flood of logins does to members.
    Flood,
    /// How long the program takes to start, and what it holds then.
    Start,
    /// What many users do to all that.
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

/// How much is measured.
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

    /// The numbers of the rounds, each with a line that says how far it is.
    fn rounds(&self, what: &str) -> impl Iterator<Item = usize> {
        (0..self.rounds).inspect(move |round| {
            self.note(&format!("{what}, round {} of {}", round + 1, self.rounds));
        })
    }

    fn note(&self, line: &str) {
        note(&format!("{:>4} s  {line}", self.begun.elapsed().as_secs()));
    }
}

/// Measures, and prints a table in Markdown.
///
/// # Errors
///
/// When something could not be measured, never because of what it came to.
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
