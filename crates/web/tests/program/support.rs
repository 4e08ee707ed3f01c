//! Starts the program in its own folder, with only the given environment.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::Browser;

pub(crate) const EMAIL: &str = "ada@example.org";
pub(crate) const PASSWORD: &str = "tidal lantern orbit mauve";
pub(crate) const OTHER_PASSWORD: &str = "copper window seven gulls";

/// The timeout of a run: longer than any takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Env<'a> = [(&'a str, &'a str)];

/// A working directory.
pub(crate) struct Place {
    folder: TempDir,
    count: AtomicU32,
}

/// The result of a run of the program.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), count: AtomicU32::new(0) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, env: &Env<'_>, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(args).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.envs(env.iter().copied()).current_dir(self.folder.path());
        command
    }

    fn scratch(&self) -> PathBuf {
        self.path(&format!("output-{}", self.count.fetch_add(1, Ordering::Relaxed)))
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.run_with(&[], args, "")
    }

    /// Runs the program until it ends.
    #[track_caller]
    pub(crate) fn run_with(&self, env: &Env<'_>, args: &[&str], stdin: &str) -> Done {
        let (out, err) = (self.scratch(), self.scratch());
        let mut command = self.command(env, args);
        command.stdin(Stdio::piped());
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        // Writing fails if the program closes its input without reading it.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let status = wait(&mut child, PATIENCE);
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let (stdout, stderr) = (read(&out), read(&err));
        let Some(status) = status else {
            child.kill().unwrap();
            panic!("{args:?} {env:?} does not end: {stdout}{stderr}");
        };
        Done { code: status.code(), stdout, stderr }
    }

    /// Starts the program. The test ends it.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(&[], args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Starts the server on a free port.
    #[track_caller]
    pub(crate) fn serve(&self, env: &Env<'_>) -> Server {
        self.start(env).ready()
    }

    pub(crate) fn start(&self, env: &Env<'_>) -> Starting {
        let log = self.scratch();
        let mut command = self.command(env, &["serve"]);
        if !env.iter().any(|(name, _)| *name == "ROCKET_PORT") {
            command.env("ROCKET_PORT", "0");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        Starting { child: command.spawn().unwrap(), log }
    }

    /// Makes the database, if there is none.
    #[track_caller]
    pub(crate) fn migrate(&self) {
        if !self.path("countersign.db").exists() {
            self.run(&["migrate", "up"]).works();
        }
    }

    /// Runs the program on a terminal, on which `typed` is typed. Both outputs come together.
    #[cfg(unix)]
    pub(crate) fn on_terminal(&self, args: &[&str], typed: &str) -> Done {
        let program = env!("CARGO_BIN_EXE_countersign");
        let command = [&[program][..], args].concat().join(" ");
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--echo", "never", "--command", &command, "/dev/null"]);
        script.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        script.current_dir(self.folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(done.stdout).unwrap();
        Done { code: done.status.code(), stdout, stderr: String::new() }
    }

    /// Creates an account.
    #[track_caller]
    pub(crate) fn create(&self, email: &str, password: &str) {
        self.migrate();
        let args = ["user", "create", email, "--username", "Ada", "--password-stdin"];
        self.run_with(&[], &args, &format!("{password}\n")).works();
    }
}

impl Done {
    #[track_caller]
    pub(crate) fn works(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.works()).unwrap()
    }

    /// Asserts that the program failed, and returns the line that says why.
    #[track_caller]
    pub(crate) fn fails(&self) -> &str {
        self.complains(1)
    }

    /// Asserts that the program was not used as it must be, and returns the line that says why.
    #[track_caller]
    pub(crate) fn misused(&self) -> &str {
        self.complains(2)
    }

    #[track_caller]
    fn complains(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        assert_eq!((self.stderr.lines().count(), self.stdout.as_str()), (1, ""), "{self:?}");
        self.stderr.strip_prefix("error: ").unwrap().trim_end()
    }
}

/// A server that is not ready yet.
pub(crate) struct Starting {
    child: Child,
    log: PathBuf,
}

impl Starting {
    #[track_caller]
    pub(crate) fn ready(mut self) -> Server {
        let mut stdout = BufReader::new(self.child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let log = std::fs::read_to_string(&self.log).unwrap();
        let port = line.trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
        let Some(port) = port else { panic!("it does not serve: {line}{log}") };
        Server { child: self.child, stdout, log: self.log, line, port }
    }
}

/// A server that is ready. It ends with the test.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
    /// The line that it printed when it was ready.
    pub(crate) line: String,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.port)
    }

    /// Logs in an existing user.
    #[track_caller]
    pub(crate) fn member(&self, email: &str, password: &str) -> Browser {
        let mut browser = self.browser();
        browser.log_in(email, password).sees_other("/blogs");
        browser
    }

    /// Returns the id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Sends a signal, such as `TERM`. Returns the exit code, the time until the end, and the rest of the
    /// standard output.
    #[track_caller]
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, Duration, String) {
        let kill = format!("kill -{signal} {}", self.child.id());
        let start = Instant::now();
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let status = wait(&mut self.child, PATIENCE);
        let took = start.elapsed();
        assert!(status.is_some(), "it does not end: {}", self.log());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (status.and_then(|status| status.code()), took, rest)
    }

    /// Waits until the program ends by itself. Returns the exit code and the standard error.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let status = wait(&mut self.child, PATIENCE);
        (status.and_then(|status| status.code()), self.log())
    }

    /// Kills the program, as in a power failure.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The program may already have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if start.elapsed() > patience {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
