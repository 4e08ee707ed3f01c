//! Drives the program `countersign` from outside, as its users do, and measures what it does.
//!
//! The figures are for people to read: a command fails when it could not measure, never because of
//! what it measured.
//!
//! # Adding a measurement
//!
//! A command in `Command`, and a file that has its options and its `run`. It starts the program
//! with `site`, speaks to it with `client`, many times at once with `load`, and sums up with `stats`.

mod all;
mod client;
mod enumerate;
mod floor;
mod load;
mod nodes;
mod population;
mod process;
mod report;
mod site;
mod stats;

use std::error::Error;
use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a measurement came to, or why nothing was measured.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measures the program countersign from outside.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What pages, logins and floods cost, next to Rocket and Argon2 alone.
    All(all::Options),
    /// Whether the login tells anybody that an account exists: by its answers, or by time.
    Enumerate(enumerate::Options),
    /// What one node and several cost on one PostgreSQL, and what it sees of them.
    Nodes(nodes::Options),
    /// What the others are compared with; they start it.
    #[command(subcommand, hide = true)]
    Floor(floor::Floor),
}

/// What the program allocates with, so that the floors do too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let measured = match Options::parse().command {
        Command::All(options) => all::run(&options),
        Command::Enumerate(options) => enumerate::run(&options),
        Command::Nodes(options) => nodes::run(&options),
        Command::Floor(floor) => floor::run(floor),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output. A reader that has seen enough is no failure.
fn say(text: &str) -> Outcome<()> {
    match writeln!(stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes what is no result to standard error.
fn note(line: &str) {
    // There is nowhere left to say that this failed.
    let _ = writeln!(stderr(), "{line}");
}
