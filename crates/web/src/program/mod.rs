//! The program `countersign`: its command line, its configuration, and how it serves.

mod accounts;
mod audit;
mod check;
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
mod verify;
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
    let command = command.unwrap_or(Command::Serve);
    // What is shown may still be wrong.
    let is_shown = matches!(command, Command::Config { verb: ConfigVerb::Show { .. } });
    let load = || {
        let settings = Settings::load(config.as_deref(), database_url)?;
        if is_shown { Ok(settings) } else { settings.with_a_database() }
    };
    match command {
        Command::Serve => serve::serve(&load()?),
        Command::Migrate { verb } => migrate::run(verb, &load()?),
        Command::User { verb } => accounts::user(verb, &load()?),
        Command::Session { verb } => accounts::session(verb, &load()?),
        Command::Audit { verb } => audit::run(verb, &load()?),
        Command::Export { to, json } => export::run(&export::target(&to)?, json, &load()?),
        Command::Config { verb: ConfigVerb::Check } => check::run(&load()?),
        Command::Config { verb: ConfigVerb::Show { json } } => load()?.show(json),
        Command::Hash { verb: HashVerb::Calibrate { target } } => hash::calibrate(target.into()),
        Command::Completions { shell } => cli::completions(shell),
    }
}
