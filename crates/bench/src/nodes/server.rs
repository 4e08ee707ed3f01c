//! A PostgreSQL server with databases for the measurement: a given one, or a temporary one of our own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::Process;
use crate::{Outcome, note};

const USUAL: &str = "postgres://postgres@127.0.0.1:5432";

/// What the server counted for the statements in our database.
pub(super) struct Seen {
    pub(super) statements: f64,
    /// Time in the executor, without parsing and sending.
    pub(super) micros: f64,
    /// Bytes of write-ahead log.
    pub(super) wal: f64,
}

pub(super) struct Server {
    url: String,
    own: Option<Own>,
}

struct Own {
    child: Child,
    _folder: TempDir,
}

/// A database for a measurement. Dropping this value removes the database.
pub(super) struct Database<'a> {
    server: &'a Server,
    name: String,
    counts: bool,
}

impl Server {
    /// Returns the server at `given`. Without it, starts a temporary server; if none is installed, takes the
    /// one at the usual address.
    ///
    /// # Errors
    ///
    /// When no server can be reached, or `psql` is missing.
    pub(super) fn find(given: Option<&str>) -> Outcome<Self> {
        Self::reached(given).map_err(|error| format!("there is no PostgreSQL: {error}").into())
    }

    fn reached(given: Option<&str>) -> Outcome<Self> {
        let (url, own) = match (given, programs()) {
            (Some(url), _) => (url.trim_end_matches('/').to_owned(), None),
            (None, Some(programs)) => Own::start(&programs)?,
            (None, None) => {
                note("PostgreSQL is not installed here: using the server at the usual address");
                (USUAL.to_owned(), None)
            }
        };
        let server = Self { url, own };
        server.ask_in("postgres", "SELECT 1")?;
        Ok(server)
    }

    /// Creates an empty database. `purpose` makes its name unique within this run.
    pub(super) fn database(&self, purpose: u64) -> Outcome<Database<'_>> {
        let name = format!("countersign_bench_{}_{purpose}", std::process::id());
        self.ask_in("postgres", &format!("CREATE DATABASE {name}"))?;
        let mut database = Database { server: self, name, counts: false };
        let counting = "CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()";
        match database.ask(counting) {
            Ok(_) => database.counts = true,
            Err(error) => note(&format!("skipped the statistics of statements: {error}")),
        }
        Ok(database)
    }

    /// Makes the server write a checkpoint now, so that none disturbs the measurement.
    pub(super) fn settle(&self) -> Outcome<()> {
        // This needs rights that we may not have on a given server.
        if self.own.is_some() {
            self.ask_in("postgres", "CHECKPOINT")?;
        }
        Ok(())
    }

    /// Returns the server's `HOST:PORT`.
    pub(super) fn address(&self) -> Outcome<String> {
        let (_, host) = self.parts()?;
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(if has_port { host.to_owned() } else { format!("{host}:5432") })
    }

    /// Splits the URL before the host.
    fn parts(&self) -> Outcome<(&str, &str)> {
        let start = self.url.rfind('@').map(|at| at + 1);
        let start = start.or_else(|| Some(self.url.find("://")? + 3));
        let parts = start.and_then(|start| self.url.split_at_checked(start));
        parts.ok_or_else(|| format!("{} is not a URL", self.url).into())
    }

    fn ask_in(&self, database: &str, sql: &str) -> Outcome<String> {
        let asked = Command::new("psql")
            .args(["--no-psqlrc", "-Atq", "-F", " ", "-v", "ON_ERROR_STOP=1"])
            .args(["-c", sql, &format!("{}/{database}", self.url)])
            .output()
            .map_err(|error| format!("cannot run psql: {error}"))?;
        if !asked.status.success() {
            let why = String::from_utf8_lossy(&asked.stderr);
            return Err(format!("PostgreSQL says: {}", why.trim()).into());
        }
        Ok(String::from_utf8(asked.stdout)?)
    }

    /// Returns the processor time of all processes of our own server, including those that have ended.
    pub(super) fn cpu(&self) -> Outcome<Option<Duration>> {
        self.own.as_ref().map(|own| Process::of(own.child.id()).cpu_with_children()).transpose()
    }
}

impl<'a> Database<'a> {
    pub(super) fn server(&self) -> &'a Server {
        self.server
    }

    pub(super) fn url(&self) -> String {
        format!("{}/{}", self.server.url, self.name)
    }

    /// Returns the URL of this database at another address.
    pub(super) fn url_at(&self, address: SocketAddr) -> Outcome<String> {
        let (start, _) = self.server.parts()?;
        Ok(format!("{start}{address}/{}", self.name))
    }

    pub(super) fn ask(&self, sql: &str) -> Outcome<String> {
        self.server.ask_in(&self.name, sql)
    }

    /// Resets the statistics of statements.
    pub(super) fn forget(&self) -> Outcome<()> {
        if self.counts {
            self.ask("SELECT pg_stat_statements_reset()")?;
        }
        Ok(())
    }

    pub(super) fn seen(&self) -> Outcome<Option<Seen>> {
        if !self.counts {
            return Ok(None);
        }
        let row = self.ask(
            "SELECT coalesce(sum(calls), 0), coalesce(sum(total_exec_time), 0) * 1000, \
             coalesce(sum(wal_bytes), 0) FROM pg_stat_statements s JOIN pg_database d \
             ON d.oid = s.dbid WHERE d.datname = current_database() \
             AND query NOT LIKE '%pg_stat_statements%'",
        )?;
        let numbers = row.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let [statements, micros, wal] = *numbers else {
            return Err(format!("pg_stat_statements says {row}").into());
        };
        Ok(Some(Seen { statements, micros, wal }))
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // Our own server is removed with all its databases.
        if self.server.own.is_none() {
            let dropping = format!("DROP DATABASE {} WITH (FORCE)", self.name);
            if let Err(error) = self.server.ask_in("postgres", &dropping) {
                note(&format!("cannot drop the database {}: {error}", self.name));
            }
        }
    }
}

/// Returns the folder in which Debian keeps the programs of the newest PostgreSQL.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let versions = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let number = |path: &PathBuf| path.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    versions.filter(|path| path.join("initdb").is_file()).max_by_key(number)
}

impl Own {
    fn start(programs: &Path) -> Outcome<(String, Option<Self>)> {
        let folder = TempDir::new()?;
        // PostgreSQL refuses to run as root.
        let is_root = fs::metadata("/proc/self")?.uid() == 0;
        if is_root {
            let given = Command::new("chown").arg("postgres").arg(folder.path()).status()?;
            if !given.success() {
                return Err("PostgreSQL needs the system user postgres to run as".into());
            }
        }
        let command = |name: &str| {
            let program = programs.join(name);
            if !is_root {
                return Command::new(program);
            }
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        };
        let data = folder.path().join("data");
        let mut making = command("initdb");
        making.args(["-U", "postgres", "-A", "trust", "-D"]).arg(&data);
        let made = making.current_dir("/").output()?;
        if !made.status.success() {
            let why = String::from_utf8_lossy(&made.stderr);
            return Err(format!("initdb failed: {}", why.trim()).into());
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-k", ""])
            .args(["-c", "shared_preload_libraries=pg_stat_statements"])
            .args(["-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB"])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log"))?)
            .spawn()?;
        let own = Self { child, _folder: folder };
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if start.elapsed() > Duration::from_secs(30) {
                return Err("PostgreSQL does not start".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // The server listens a moment before it accepts connections.
        std::thread::sleep(Duration::from_millis(500));
        Ok((format!("postgres://postgres@127.0.0.1:{port}"), Some(own)))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // SIGKILL would leave its child processes and its shared memory behind.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
