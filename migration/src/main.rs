//! Migrates the schema of a Countersign database: `up`, `down [N]` or `status`.

use std::error::Error;
#[cfg(feature = "sqlite")]
use std::fs::OpenOptions;
#[cfg(feature = "sqlite")]
use std::io::ErrorKind;
use std::io::{self, IsTerminal, Write};
#[cfg(feature = "sqlite")]
use std::path::Path;
use std::process::ExitCode;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::time::Duration;

use clap::{Parser, Subcommand};
use countersign_migration::{DbErr, Progress};
use sea_orm_migration::sea_orm::DatabaseConnection;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use sea_orm_migration::sea_orm::sqlx::ConnectOptions;
#[cfg(feature = "mysql")]
use sea_orm_migration::sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
#[cfg(feature = "postgres")]
use sea_orm_migration::sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
#[cfg(feature = "sqlite")]
use sea_orm_migration::sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

/// The timeout of a connection to a server.
#[cfg(any(feature = "postgres", feature = "mysql"))]
const PATIENCE: Duration = Duration::from_secs(5);

const DEFAULT_URL: &str = "sqlite://countersign.db?mode=rwc";

/// Migrates the schema of a Countersign database.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The database [default: the first that is set of $COUNTERSIGN_DATABASE_URL and $DATABASE_URL, or
    /// else sqlite://countersign.db?mode=rwc].
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Apply all pending migrations.
    Up,
    /// Revert the last migrations, and lose the data in their tables.
    Down {
        /// Number of migrations to revert.
        #[arg(default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Do not ask for confirmation; required without a terminal.
        #[arg(long)]
        yes: bool,
    },
    /// List the migrations and whether they are applied, without changing anything.
    Status,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Down { yes: false, .. }) && !io::stdin().is_terminal() {
        let line = "this cannot be undone, and there is no terminal to ask on: add --yes";
        writeln!(io::stderr(), "{line}").ok();
        return ExitCode::from(2);
    }
    let url = arguments.database_url.unwrap_or_else(url_from_environment);
    match run(arguments.command, &url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The URL of a server may contain a password, so only the URL of a file is shown.
            let url = url.split('?').next().filter(|url| url.starts_with("sqlite:"));
            let error = format!("{}: {error}", url.unwrap_or("the database URL"));
            // If standard error is closed, the error cannot be reported.
            writeln!(io::stderr(), "{}", error.replace(char::is_control, " ")).ok();
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a program's configuration begins here")]
fn url_from_environment() -> String {
    let names = ["COUNTERSIGN_DATABASE_URL", "DATABASE_URL"];
    let mut found = names.into_iter().filter_map(|name| std::env::var(name).ok());
    found.find(|url| !url.is_empty()).unwrap_or_else(|| DEFAULT_URL.to_owned())
}

async fn run(command: Command, url: &str) -> Result<(), Box<dyn Error>> {
    let db = open(url, matches!(command, Command::Up)).await?;
    let lines: Vec<(&str, String)> = match command {
        Command::Up => told("applied", countersign_migration::up_telling(&db, say).await?),
        Command::Down { steps, yes } => {
            let last = countersign_migration::last(&db, steps).await.map_err(explained)?;
            if !yes && !agrees(&last)? {
                return Err("nothing was changed: the answer was not yes".into());
            }
            told("reverted", countersign_migration::down(&db, steps).await?)
        }
        Command::Status => {
            let all = countersign_migration::status(&db).await?.into_iter();
            all.map(|(name, applied)| (if applied { "applied" } else { "pending" }, name)).collect()
        }
    };
    db.close().await?;
    let mut out = io::stdout().lock();
    for (state, name) in lines {
        writeln!(out, "{state} {name}")?;
    }
    Ok(())
}

/// Asks on the terminal whether these migrations shall be reverted. Every answer but a yes is a no.
fn agrees(last: &[String]) -> io::Result<bool> {
    let names = last.join(", ");
    write!(io::stderr(), "Revert {names}, and lose the data that they hold? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Returns the error without what its type adds to a sentence of ours.
fn explained(error: DbErr) -> Box<dyn Error> {
    match error {
        DbErr::Custom(why) => why.into(),
        error => error.into(),
    }
}

/// Prints the progress to standard error.
fn say(progress: Progress<'_>) {
    let Progress { name, number, of, taken } = progress;
    let line = format!("applying {name} ({number} of {of}), {} s", taken.as_secs());
    writeln!(io::stderr(), "{line}").ok();
}

fn told(state: &str, names: Vec<String>) -> Vec<(&str, String)> {
    names.into_iter().map(|name| (state, name)).collect()
}

#[cfg_attr(not(feature = "sqlite"), expect(unused_variables, reason = "only files are created"))]
async fn open(url: &str, may_create: bool) -> Result<DatabaseConnection, Box<dyn Error>> {
    match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        "sqlite" => open_file(url, may_create).await,
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => {
            let options = url.parse::<PgConnectOptions>()?.disable_statement_logging();
            Ok(PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(PATIENCE)
                .connect_with(options)
                .await?
                .into())
        }
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => {
            let options = url.parse::<MySqlConnectOptions>()?.disable_statement_logging();
            Ok(MySqlPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(PATIENCE)
                .connect_with(options)
                .await?
                .into())
        }
        _ => {
            Err("it must begin with sqlite:, postgres: or mysql:, and the program must have been \
                  built with the feature of that name"
                .into())
        }
    }
}

/// Opens the database. Creates it only if `may_create` is true and the URL contains `mode=rwc`.
#[cfg(feature = "sqlite")]
async fn open_file(url: &str, may_create: bool) -> Result<DatabaseConnection, Box<dyn Error>> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let options: SqliteConnectOptions = url.parse()?;
    let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
    if may_create && parameters.split('&').any(|parameter| parameter == "mode=rwc") {
        create(options.get_filename())?;
    }
    let pool = SqlitePoolOptions::new().max_connections(1);
    Ok(pool.connect_with(options.create_if_missing(false)).await?.into())
}

/// Creates an empty database file that only its owner can read, since it will contain password hashes.
#[cfg(feature = "sqlite")]
fn create(file: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
