//! Servers of databases that a test may kill: each has a folder and a port of its own.

use std::io;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::edge::{free_port, tool_of};
use crate::server::Engine;

const STARTED: Duration = Duration::from_secs(30);

pub(super) struct Own {
    engine: Engine,
    folder: TempDir,
    pub(super) port: u16,
    child: Option<Child>,
}

impl Own {
    /// A server that runs and has an empty database `site`; nothing where it is not installed.
    pub(super) fn start(engine: Engine) -> Option<Self> {
        let mut own = Self::prepare(engine)?;
        own.run();
        Some(own)
    }

    /// As [`start`](Self::start), but it is still to be run.
    #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
    pub(super) fn prepare(engine: Engine) -> Option<Self> {
        let is_there = |name: &str| program(name).is_some();
        let needed = match engine {
            Engine::Postgres => ["initdb", "postgres"],
            Engine::MariaDb => ["mariadb-install-db", "mariadbd"],
        };
        if let Some(missing) = needed.into_iter().find(|name| !is_there(name)) {
            eprintln!("skipped: {engine:?}: no {missing}");
            return None;
        }
        let own = Self { engine, folder: TempDir::new().unwrap(), port: free_port(), child: None };
        own.make();
        Some(own)
    }

    pub(super) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// By way of another port.
    pub(super) fn url_at(&self, port: u16) -> String {
        match self.engine {
            Engine::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            Engine::MariaDb => format!("mysql://site@127.0.0.1:{port}/site"),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of the server's, as the user that it insists on when we are root.
    fn tool(&self, name: &str) -> Command {
        let program = program(name).unwrap();
        let user = match self.engine {
            Engine::Postgres => "postgres",
            Engine::MariaDb => "mysql",
        };
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = tool_of("setpriv");
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]).arg(program);
            command
        } else {
            tool_of(program.to_str().unwrap())
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(std::fs::File::create(self.folder.path().join("log")).unwrap());
        command
    }

    fn make(&self) {
        let folder = self.folder.path();
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(self.data()).unwrap();
        std::fs::set_permissions(self.data(), PermissionsExt::from_mode(0o700)).unwrap();
        if rustix::process::geteuid().is_root() {
            let user = if self.engine == Engine::Postgres { "postgres" } else { "mysql" };
            let (uid, gid) = (id("-u", user), id("-g", user));
            chown(folder, Some(uid), Some(gid)).unwrap();
            chown(self.data(), Some(uid), Some(gid)).unwrap();
        }
        let data = self.data();
        let done = match self.engine {
            Engine::Postgres => self
                .tool("initdb")
                .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8"])
                .arg(&data)
                .status(),
            Engine::MariaDb => {
                let sql = "CREATE DATABASE IF NOT EXISTS site;\n\
                           CREATE USER IF NOT EXISTS site@'127.0.0.1';\n\
                           CREATE USER IF NOT EXISTS site@'localhost';\n\
                           GRANT ALL ON site.* TO site@'127.0.0.1';\n\
                           GRANT ALL ON site.* TO site@'localhost';\n";
                std::fs::write(folder.join("init.sql"), sql).unwrap();
                self.tool("mariadb-install-db")
                    .args([
                        "--no-defaults",
                        "--skip-test-db",
                        "--auth-root-authentication-method=normal",
                    ])
                    .arg(format!("--datadir={}", data.display()))
                    .status()
            }
        };
        assert!(done.unwrap().success(), "{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Runs it until it lets somebody in.
    pub(super) fn run(&mut self) {
        let start = Instant::now();
        loop {
            let mut child = self.spawn();
            loop {
                assert!(start.elapsed() < STARTED, "it does not start: {}", self.log());
                std::thread::sleep(Duration::from_millis(50));
                // What is left of the one before may still end.
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                if self.answers().is_ok() {
                    self.child = Some(child);
                    return;
                }
            }
        }
    }

    fn spawn(&self) -> Child {
        let (data, folder) = (self.data(), self.folder.path().display());
        let command = match self.engine {
            Engine::Postgres => &mut {
                let mut command = self.tool("postgres");
                command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p"]);
                command.arg(self.port.to_string()).arg("-k").arg(self.folder.path());
                command.args(["-c", "fsync=off", "-c", "max_connections=12"]);
                command.args(["-c", "superuser_reserved_connections=0"]);
                command
            },
            Engine::MariaDb => &mut {
                let mut command = self.tool("mariadbd");
                command.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
                command.args(["--bind-address=127.0.0.1", &format!("--port={}", self.port)]);
                command
                    .args([&format!("--socket={folder}/s"), &format!("--pid-file={folder}/pid")]);
                command.arg(format!("--init-file={folder}/init.sql"));
                command.args(["--max-connections=12", "--innodb-buffer-pool-size=16M"]);
                command
            },
        };
        command.spawn().unwrap()
    }

    /// PostgreSQL listens before it lets anybody in, but then answers that; both greet.
    fn answers(&self) -> io::Result<()> {
        if self.engine == Engine::MariaDb {
            return TcpStream::connect(("127.0.0.1", self.port)).map(drop);
        }
        let done = self
            .tool_quietly("pg_isready")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .stdout(Stdio::null())
            .status()?;
        if done.success() { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
    }

    fn tool_quietly(&self, name: &str) -> Command {
        tool_of(program(name).unwrap().to_str().unwrap())
    }

    /// Sends a signal to all of its processes: those that it started, and itself.
    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id();
        let kill = format!("kill -{signal} {id} $(ps -o pid= --ppid {id})");
        assert!(tool_of("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Ends it as a power cut would.
    pub(super) fn kill(&mut self) {
        self.signal("KILL");
        self.child.take().unwrap().wait().unwrap();
    }

    /// From here on it says nothing.
    pub(super) fn stop(&self) {
        self.signal("STOP");
    }

    pub(super) fn go_on(&self) {
        self.signal("CONT");
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = debian.map(|version| version.path().join("bin"));
    let usual = ["/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from);
    folders.chain(usual).map(|folder| folder.join(name)).find(|path| Path::is_file(path))
}

fn id(which: &str, user: &str) -> u32 {
    let output = tool_of("id").args([which, user]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
