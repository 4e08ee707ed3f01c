//! The program `countersign` as a site of its own: a free port, an empty database, and no
//! configuration but what is said.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Outcome, note};

/// The built program.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// How it was built, `debug` or `release`.
    pub(crate) profile: String,
    /// The configuration that it starts with.
    pub(crate) configuration: Value,
}

impl Program {
    /// The program at `given`, or the release build of this workspace, which is brought up to date.
    ///
    /// # Errors
    ///
    /// When there is none, or it does not run.
    pub(crate) fn find(given: Option<&Path>) -> Outcome<Self> {
        // A site is started in another directory.
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
            note("warning: a debug build; its figures are not those of a release build");
        }
        Ok(Self { path, profile, configuration })
    }
}

/// Builds the program with the cargo that runs this one, and returns where cargo put it.
fn build() -> Outcome<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "cargo tells what it runs where it is")]
    let cargo = std::env::var_os("CARGO");
    let cargo = cargo.ok_or("not run by cargo: name the program with --bin PATH")?;
    note("building the program");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let built = Command::new(cargo)
        .args(["build", "--release", "--package", "countersign-web", "--bin", "countersign"])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path", manifest])
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        return Err("the program does not build".into());
    }
    let said = String::from_utf8_lossy(&built.stdout);
    let said = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built =
        said.filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    Ok(built.next_back().ok_or("cargo does not say where it put the program")?)
}

/// The program without the settings of whoever runs this one.
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

/// A site that runs until this is dropped.
pub(crate) struct Site {
    child: Child,
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Site {
    /// Starts a site with these environment variables, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not get ready.
    pub(crate) fn start(program: &Program, settings: &[(&str, &str)]) -> Outcome<Self> {
        let folder = TempDir::new()?;
        let log = folder.path().join("log");
        let mut child = command(&program.path)
            .arg("serve")
            .current_dir(folder.path())
            .env("ROCKET_PORT", "0")
            .env("COUNTERSIGN_DATABASE_URL", database_url(&folder))
            .envs(settings.iter().copied())
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
}

fn database_url(folder: &TempDir) -> String {
    format!("sqlite://{}?mode=rwc", folder.path().join("site.db").display())
}

impl Drop for Site {
    fn drop(&mut self) {
        // One that has ended by itself needs neither.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
