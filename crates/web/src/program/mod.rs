//! The program `countersign`: its command line, its configuration, and how it serves.

mod accounts;
mod audit;
mod cli;
mod consent;
mod export;
mod failure;
mod hash;
mod log;
mod metrics;
mod migrate;
mod output;
mod progress;
mod serve;
mod service;
pub(crate) mod settings;
mod waiting;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, ConfigVerb, HashVerb};
use failure::Failure;
use settings::Settings;

/// Runs the program with the arguments of the process. Exit code 0 means done, 1 failed (one line on
/// standard error says why), 2 wrong usage.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { config, database_url, command } = cli;
    let load = || Settings::load(config.as_deref(), database_url);
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(&load()?),
        Command::Migrate { verb } => migrate::run(verb, &load()?),
        Command::User { verb } => accounts::user(verb, &load()?),
        Command::Session { verb } => accounts::session(verb, &load()?),
        Command::Audit { verb } => audit::run(verb, &load()?),
        Command::Export { to, json } => export::run(&to, json, &load()?),
        Command::Config { verb: ConfigVerb::Check } => {
            load()?;
            output::say("The configuration is valid.")
        }
        Command::Config { verb: ConfigVerb::Show { json } } => load()?.show(json),
        Command::Hash { verb: HashVerb::Calibrate { target } } => hash::calibrate(target.into()),
        Command::Completions { shell } => cli::completions(shell),
    }
}
