//! Drives the program `countersign` from outside, as its users do, and measures what it does.
//!
//! The figures are for people to read. A command fails when it cannot measure, never because a figure is
//! bad.
//!
//! # Adding a measurement
//!
//! Add a variant to `Command`, and a file with its options and its `run`. The file starts the program with
//! `site`, sends requests with `client`, runs many clients at once with `load`, and summarises with `stats`.

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

/// The result of a measurement, or the reason why it failed.
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
    /// Measure what pages, logins and floods cost, compared with Rocket and Argon2 alone.
    All(all::Options),
    /// Check whether the login reveals that an account exists, by its answers or by its timing.
    Enumerate(enumerate::Options),
    /// Measure what one or several nodes cost on one PostgreSQL server, and what that server sees.
    Nodes(nodes::Options),
    /// Run a floor, with which the other commands compare the program. They start it themselves.
    #[command(subcommand, hide = true)]
    Floor(floor::Floor),
}

/// The allocator of the program, so that the floors use the same one.
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

/// Writes to standard output. A closed pipe is not an error: the reader has seen enough.
fn say(text: &str) -> Outcome<()> {
    match writeln!(stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes progress and errors to standard error, apart from the results.
fn note(line: &str) {
    // A failure to write to standard error cannot be reported anywhere.
    let _ = writeln!(stderr(), "{line}");
}
