//! The command line.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::failure::Failure;
use super::output;
use super::settings::{DatabaseUrl, Secret, Span};

/// Serves a site with registration, login, members' pages and logout, and manages its accounts
#[derive(Debug, Parser)]
#[command(name = "countersign", version)]
#[command(after_help = "Example: countersign --database-url sqlite://site.db?mode=rwc serve")]
pub(crate) struct Cli {
    /// The configuration file [default: config/Rocket.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The database to use instead of the configured one
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database_url: Option<Secret<DatabaseUrl>>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring the database up to date, then serve the site; the default without a command
    #[command(after_help = "Example: ROCKET_PORT=9000 countersign serve")]
    Serve,
    /// Apply, revert and list schema migrations
    #[command(after_help = "Example: countersign migrate status")]
    Migrate {
        #[command(subcommand)]
        verb: MigrateVerb,
    },
    /// Create, list and change accounts
    #[command(after_help = "Example: countersign user list --json")]
    User {
        #[command(subcommand)]
        verb: UserVerb,
    },
    /// List and end sessions
    #[command(after_help = "Example: countersign session list ada@example.org")]
    Session {
        #[command(subcommand)]
        verb: SessionVerb,
    },
    /// Read and check the audit trail
    #[command(after_help = "Example: countersign audit list --user ada@example.org --since 7d")]
    Audit {
        #[command(subcommand)]
        verb: AuditVerb,
    },
    /// Copy the whole site into another database
    #[command(
        after_help = "Example: countersign export --to postgres://countersign@db.example/site"
    )]
    Export {
        #[command(flatten)]
        to: Target,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Validate and print the configuration
    #[command(after_help = "Example: countersign config show")]
    Config {
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Measure password hashing on this machine
    #[command(after_help = "Example: countersign hash calibrate --target 250ms")]
    Hash {
        #[command(subcommand)]
        verb: HashVerb,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Example: countersign completions bash > countersign.bash")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The database that an export fills. Without one of these options `COUNTERSIGN_EXPORT_TO` names it.
#[derive(Args, Clone, Debug)]
#[group(multiple = false)]
pub(crate) struct Target {
    /// The database to fill: an empty one, or one that an interrupted export has begun to fill. Other
    /// users of this machine can read it; use one of the other ways if it holds a password
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<Secret<DatabaseUrl>>,
    /// The file that holds the URL of the database to fill
    #[arg(long, value_name = "FILE")]
    pub(crate) to_file: Option<PathBuf>,
    /// Read the URL of the database to fill from the first line of standard input
    #[arg(long)]
    pub(crate) to_stdin: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum MigrateVerb {
    /// Apply all pending migrations
    #[command(after_help = "Example: countersign migrate up")]
    Up,
    /// Revert the last migrations; the data that they added is lost
    #[command(after_help = "Example: countersign migrate down 1 --yes")]
    Down {
        /// The number of migrations to revert
        #[arg(default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Do not ask for confirmation; required without a terminal
        #[arg(long)]
        yes: bool,
    },
    /// List all migrations, applied and pending
    #[command(after_help = "Example: countersign migrate status --json")]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// The user whose account is meant.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Who {
    /// The user's email address
    #[arg(value_name = "EMAIL")]
    positional: Option<String>,
    /// The user's email address, as an option
    #[arg(long = "email", alias = "user", value_name = "EMAIL")]
    named: Option<String>,
}

impl Who {
    pub(crate) fn email(&self) -> &str {
        self.positional.as_deref().or(self.named.as_deref()).unwrap_or_default()
    }
}

/// Where a password comes from.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct PasswordSource {
    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserVerb {
    /// Create an account
    #[command(after_help = "Example: countersign user create ada@example.org --username Ada")]
    Create {
        #[command(flatten)]
        who: Who,
        /// The name that others see [default: the part of the address before the @]
        #[arg(long)]
        username: Option<String>,
        #[command(flatten)]
        password: PasswordSource,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List all accounts
    #[command(after_help = "Example: countersign user list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show an account
    #[command(after_help = "Example: countersign user show ada@example.org")]
    Show {
        #[command(flatten)]
        who: Who,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set an account's password, which ends its sessions
    #[command(after_help = "Example: countersign user set-password ada@example.org")]
    SetPassword {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Set an account's email address, with which its user then logs in
    #[command(after_help = "Example: countersign user set-email ada@example.org ada@example.com")]
    SetEmail {
        /// The user's present email address
        #[arg(value_name = "EMAIL")]
        email: String,
        /// The new one
        #[arg(value_name = "NEW")]
        new: String,
    },
    /// Set the name that others see
    #[command(after_help = "Example: countersign user set-username ada@example.org Ada")]
    SetUsername {
        /// The user's email address
        #[arg(value_name = "EMAIL")]
        email: String,
        /// The new name
        #[arg(value_name = "NEW")]
        new: String,
    },
    /// Disable an account, which ends its sessions
    #[command(after_help = "Example: countersign user disable ada@example.org")]
    Disable {
        #[command(flatten)]
        who: Who,
    },
    /// Enable a disabled account
    #[command(after_help = "Example: countersign user enable ada@example.org")]
    Enable {
        #[command(flatten)]
        who: Who,
    },
    /// Delete an account and all that belongs to it
    #[command(after_help = "Example: countersign user delete ada@example.org --yes")]
    Delete {
        #[command(flatten)]
        who: Who,
        /// Do not ask for confirmation; required without a terminal
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionVerb {
    /// List a user's live sessions
    #[command(after_help = "Example: countersign session list --user ada@example.org --json")]
    List {
        #[command(flatten)]
        who: Who,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End one or all sessions of a user
    #[command(after_help = "Example: countersign session revoke --user ada@example.org --all")]
    Revoke {
        /// The email address of the session's user
        #[arg(long, alias = "email", value_name = "EMAIL")]
        user: String,
        /// End all sessions of the user
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// The session's id, as `session list` shows it
        #[arg(required_unless_present = "all")]
        id: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditVerb {
    /// List records, the oldest first
    #[command(after_help = "Example: countersign audit list --kind user_login_failed --json")]
    List {
        /// Only records of the user with this email address, or with this id if the user was deleted
        #[arg(long, alias = "email", value_name = "EMAIL")]
        user: Option<String>,
        /// Only records of a last period, such as 7d, or since a moment, such as 2026-11-23 or
        /// 2026-11-23T10:15:00Z
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// Only records of this kind, such as `user_login_failed`
        #[arg(long)]
        kind: Option<String>,
        /// Only the newest N records
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check that no record was changed or removed
    #[command(
        after_help = "Example: countersign audit verify --noted 1042:9f86d081…:2026-11-23T10:15:00Z"
    )]
    Verify {
        /// The end of the trail as an earlier `audit verify` printed it; the trail must still hold it, or
        /// it is so old that it was removed; may be given several times
        #[arg(long, value_name = "NUMBER:HASH:WHEN")]
        noted: Vec<String>,
        /// A file that keeps how far the check is: if it is interrupted, the next one goes on there
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Check that the configuration is valid
    #[command(after_help = "Example: countersign --config site.toml config check")]
    Check,
    /// Print the effective values, without secrets
    #[command(after_help = "Example: countersign config show --json")]
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HashVerb {
    /// Measure Argon2id on this machine and propose parameters
    #[command(after_help = "Example: countersign hash calibrate --target 250ms")]
    Calibrate {
        /// The longest that a hash may take
        #[arg(long, default_value = "250ms", value_name = "DURATION")]
        target: Span,
    },
}

/// Ends the program as one that was used wrongly: no way to name the target of an export was used.
pub(crate) fn no_target() -> ! {
    let mut command = Cli::command();
    let missing =
        "name the database to fill: with --to, --to-file, --to-stdin or COUNTERSIGN_EXPORT_TO";
    command.error(ErrorKind::MissingRequiredArgument, missing).exit()
}

/// Prints completions for `shell`.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "countersign", &mut script);
    output::say(String::from_utf8_lossy(&script).trim_end())
}
