//! Starts the program `countersign` as a site on a free port, with its own database and only the given
//! configuration. A floor is started in the same way.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::floor::Hashes;
use crate::population::Population;
use crate::process::Process;
use crate::{Outcome, note};

/// The built program.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// The build profile, `debug` or `release`.
    pub(crate) profile: String,
    /// The configuration of the program by default.
    pub(crate) configuration: Value,
}

impl Program {
    /// Finds the program at `given`, or builds this workspace's in release mode.
    ///
    /// # Errors
    ///
    /// When the program is missing, does not build or does not run.
    pub(crate) fn find(given: Option<&Path>) -> Outcome<Self> {
        // The path must be absolute, since a site is started in another directory.
        let path = match given {
            Some(path) => std::path::absolute(path)?,
            None => build()?,
        };
        let folder = TempDir::new()?;
        let mut asked = command(&path);
        asked.args(["config", "show", "--json"]).current_dir(folder.path());
        let asked = asked.output();
        let asked = asked.map_err(|error| format!("cannot run {}: {error}", path.display()))?;
        if !asked.status.success() {
            let why = String::from_utf8_lossy(&asked.stderr);
            return Err(format!("{} does not run: {}", path.display(), why.trim()).into());
        }
        let configuration: Value = serde_json::from_slice(&asked.stdout)?;
        let profile = configuration.pointer("/rocket/profile").and_then(Value::as_str);
        let profile = profile.unwrap_or("unknown").to_owned();
        note(&format!("the program: {} ({profile})", path.display()));
        if profile == "debug" {
            note("warning: this is a debug build; its figures say nothing about a release build");
        }
        Ok(Self { path, profile, configuration })
    }

    /// Returns the number of threads that hash passwords.
    pub(crate) fn workers(&self) -> Outcome<usize> {
        let workers = self.configuration.pointer("/countersign/argon2/workers");
        let workers = workers.and_then(Value::as_u64).ok_or("argon2.workers is not a number")?;
        Ok(usize::try_from(workers)?)
    }
}

/// Builds the program with the cargo that runs this one, and returns the path of the executable.
fn build() -> Outcome<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "cargo tells its path to the programs it runs")]
    let cargo = std::env::var_os("CARGO");
    let cargo = cargo.ok_or("not started by cargo: name the program with --bin PATH")?;
    note("building the program");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let built = Command::new(cargo)
        .args(["build", "--release", "--package", "countersign-web", "--bin", "countersign"])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path", manifest])
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        return Err("cannot build the program".into());
    }
    let said = String::from_utf8_lossy(&built.stdout);
    let said = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built =
        said.filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    Ok(built.next_back().ok_or("cargo did not report the path of the program")?)
}

/// Returns a command for the program, without the settings in the environment of this one.
fn command(path: &Path) -> Command {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("COUNTERSIGN_") || text.starts_with("ROCKET_") || text == "DATABASE_URL"
        {
            command.env_remove(name);
        }
    }
    command
}

/// A site that runs until this value is dropped.
pub(crate) struct Site {
    child: Child,
    folder: Arc<TempDir>,
    pub(crate) address: SocketAddr,
}

impl Site {
    /// Starts a site with these environment variables, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When the site does not start.
    pub(crate) fn start(program: &Program, settings: &[(&str, &str)]) -> Outcome<Self> {
        Self::start_in(Arc::new(TempDir::new()?), program, settings)
    }

    /// Starts a site with `size` members, each of them logged in.
    ///
    /// # Errors
    ///
    /// When the database cannot be made, or the site does not start.
    pub(crate) fn populated(
        program: &Program,
        size: u64,
        settings: &[(&str, &str)],
    ) -> Outcome<(Self, Population)> {
        let folder = Arc::new(TempDir::new()?);
        let url = database_url(&folder);
        let migrated = command(&program.path)
            .args(["migrate", "up", "--database-url", &url])
            .current_dir(folder.path())
            .output()?;
        if !migrated.status.success() {
            let why = String::from_utf8_lossy(&migrated.stderr);
            return Err(format!("cannot make the database: {}", why.trim()).into());
        }
        let population = Population::make(&url, size)?;
        Ok((Self::start_in(folder, program, settings)?, population))
    }

    /// Starts a site on the database that an earlier one left in `folder`.
    ///
    /// # Errors
    ///
    /// When the site does not start.
    pub(crate) fn start_in(
        folder: Arc<TempDir>,
        program: &Program,
        settings: &[(&str, &str)],
    ) -> Outcome<Self> {
        let mut serve = command(&program.path);
        serve
            .arg("serve")
            .env("ROCKET_PORT", "0")
            .env("ROCKET_LOG_LEVEL", "critical")
            .env("COUNTERSIGN_DATABASE_URL", database_url(&folder))
            .envs(settings.iter().copied());
        Self::spawn(serve, folder)
    }

    /// Starts a floor that answers requests.
    ///
    /// # Errors
    ///
    /// When the floor does not start.
    pub(crate) fn floor(name: &str) -> Outcome<Self> {
        let mut floor = command(&std::env::current_exe()?);
        floor.args(["floor", name]);
        Self::spawn(floor, Arc::new(TempDir::new()?))
    }

    fn spawn(mut command: Command, folder: Arc<TempDir>) -> Outcome<Self> {
        let log = folder.path().join("log");
        let mut child = command
            .current_dir(folder.path())
            // Temporary files that a killed program leaves are removed with the folder.
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()?;
        let said = child.stdout.take().and_then(|out| BufReader::new(out).lines().next());
        let address = said.and_then(Result::ok);
        let address = address.and_then(|line| line.rsplit_once("http://")?.1.parse().ok());
        let Some(address) = address else {
            child.kill()?;
            child.wait()?;
            let why = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("the site did not start: {}", why.trim()).into());
        };
        Ok(Self { child, folder, address })
    }

    pub(crate) fn database_url(&self) -> String {
        database_url(&self.folder)
    }

    pub(crate) fn process(&self) -> Process {
        Process::of(self.child.id())
    }

    /// Returns the size of the database file, without the write-ahead log beside it.
    pub(crate) fn bytes(&self) -> Outcome<u64> {
        Ok(std::fs::metadata(file(&self.folder))?.len())
    }

    /// Stops the site, and returns the folder with its database.
    pub(crate) fn stop(self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }
}

impl Hashes {
    /// Hashes passwords with Argon2 alone, on this number of threads of a new process.
    pub(crate) fn measure(threads: usize, duration: std::time::Duration) -> Outcome<Self> {
        let (threads, millis) = (threads.to_string(), duration.as_millis().to_string());
        let mut floor = command(&std::env::current_exe()?);
        floor.args(["floor", "hash", "--threads", &threads, "--millis", &millis]);
        let output = floor.output()?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("cannot measure Argon2 alone: {}", why.trim()).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("site.db")
}

fn database_url(folder: &TempDir) -> String {
    format!("sqlite://{}?mode=rwc", file(folder).display())
}

impl Drop for Site {
    fn drop(&mut self) {
        // Both fail if the process has already ended, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
