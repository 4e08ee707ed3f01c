//! Database servers that a test may configure and kill. Each has its own folder and port.

use std::io;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::edge::{free_port, tool_of};
use crate::server::Engine;
use crate::tls::Certificate;

/// The password of the user in the URL.
pub(crate) const SECRET: &str = "s3cret";

const STARTED: Duration = Duration::from_secs(30);

pub(crate) struct Own {
    engine: Engine,
    folder: TempDir,
    pub(crate) port: u16,
    /// The additional arguments of this server.
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Own {
    /// Starts a server with an empty database `site`. Returns `None` if it is not installed.
    pub(crate) fn start(engine: Engine) -> Option<Self> {
        let mut own = Self::prepare(engine)?;
        own.run();
        Some(own)
    }

    /// Prepares a server like [`start`](Self::start), but does not run it.
    #[expect(clippy::print_stderr, reason = "a skipped test prints the reason")]
    pub(crate) fn prepare(engine: Engine) -> Option<Self> {
        let is_there = |name: &str| program(name).is_some();
        let needed = match engine {
            Engine::Postgres => ["initdb", "postgres"],
            Engine::MariaDb => ["mariadb-install-db", "mariadbd"],
        };
        if let Some(missing) = needed.into_iter().find(|name| !is_there(name)) {
            eprintln!("skipped: {engine:?}: no {missing}");
            return None;
        }
        let folder = TempDir::new().unwrap();
        // Newer versions of MariaDB make a certificate by themselves.
        let arguments = match engine {
            Engine::Postgres => Vec::new(),
            Engine::MariaDb => vec!["--skip-ssl".to_owned()],
        };
        let own = Self { engine, folder, port: free_port(), arguments, child: None };
        own.make();
        Some(own)
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// Returns the URL with another port.
    pub(crate) fn url_at(&self, port: u16) -> String {
        match self.engine {
            Engine::Postgres => {
                format!("postgres://postgres:{SECRET}@127.0.0.1:{port}/postgres")
            }
            Engine::MariaDb => format!("mysql://site:{SECRET}@127.0.0.1:{port}/site"),
        }
    }

    /// Makes the server require TLS from its next start on, with this certificate. The user `certified`
    /// authenticates with a certificate of the authority instead of a password.
    pub(crate) fn require_tls(&mut self, own: &Certificate, authority: &Path) {
        let given =
            [(&*own.path, "server.crt"), (&*own.key, "server.key"), (authority, "root.crt")];
        for (from, to) in given {
            let to = self.data().join(to);
            std::fs::copy(from, &to).unwrap();
            std::fs::set_permissions(&to, PermissionsExt::from_mode(0o600)).unwrap();
            self.give(&to);
        }
        let data = self.data().display().to_string();
        self.arguments = match self.engine {
            Engine::Postgres => {
                let lines = "hostssl all certified 127.0.0.1/32 cert\n\
                             hostssl all all 127.0.0.1/32 scram-sha-256\n";
                std::fs::write(self.data().join("pg_hba.conf"), lines).unwrap();
                ["-c", "ssl=on", "-c", "ssl_ca_file=root.crt"].map(str::to_owned).to_vec()
            }
            Engine::MariaDb => vec![
                "--require-secure-transport=ON".to_owned(),
                format!("--ssl-cert={data}/server.crt"),
                format!("--ssl-key={data}/server.key"),
                format!("--ssl-ca={data}/root.crt"),
            ],
        };
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns a command for a program of the server. If we are root, it runs as the server's own user.
    fn tool(&self, name: &str) -> Command {
        let program = program(name).unwrap();
        let user = self.user();
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

    fn user(&self) -> &'static str {
        match self.engine {
            Engine::Postgres => "postgres",
            Engine::MariaDb => "mysql",
        }
    }

    /// Gives a file to the server's own user, since the server opens no others.
    fn give(&self, path: &Path) {
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = (id("-u", self.user()), id("-g", self.user()));
            chown(path, Some(uid), Some(gid)).unwrap();
        }
    }

    fn make(&self) {
        let folder = self.folder.path();
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(self.data()).unwrap();
        std::fs::set_permissions(self.data(), PermissionsExt::from_mode(0o700)).unwrap();
        let data = self.data();
        self.give(folder);
        self.give(&data);
        let done = match self.engine {
            Engine::Postgres => {
                let password = folder.join("password");
                std::fs::write(&password, SECRET).unwrap();
                self.tool("initdb")
                    .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8"])
                    .arg(format!("--pwfile={}", password.display()))
                    .arg(&data)
                    .status()
            }
            Engine::MariaDb => {
                let mut sql = "CREATE DATABASE IF NOT EXISTS site;\n".to_owned();
                for host in ["127.0.0.1", "localhost"] {
                    sql += &format!(
                        "CREATE USER IF NOT EXISTS site@'{host}' IDENTIFIED BY '{SECRET}';\n\
                         CREATE USER IF NOT EXISTS certified@'{host}' REQUIRE X509;\n\
                         GRANT ALL ON site.* TO site@'{host}', certified@'{host}';\n"
                    );
                }
                std::fs::write(folder.join("init.sql"), sql).unwrap();
                self.tool("mariadb-install-db")
                    .args([
                        "--no-defaults",
                        "--skip-test-db",
                        "--auth-root-authentication-method=normal",
                    ])
                    .arg(format!("--datadir={}", data.display()))
                    // A MariaDB that starts removes what others have in a folder that they share.
                    .env("TMPDIR", folder)
                    .status()
            }
        };
        assert!(done.unwrap().success(), "{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Starts the server, and waits until it accepts connections.
    pub(crate) fn run(&mut self) {
        let start = Instant::now();
        loop {
            let mut child = self.spawn();
            loop {
                assert!(start.elapsed() < STARTED, "it does not start: {}", self.log());
                std::thread::sleep(Duration::from_millis(50));
                // The previous server may not have ended completely.
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
                command.env("TMPDIR", self.folder.path());
                command.args(["--bind-address=127.0.0.1", &format!("--port={}", self.port)]);
                command
                    .args([&format!("--socket={folder}/s"), &format!("--pid-file={folder}/pid")]);
                command.arg(format!("--init-file={folder}/init.sql"));
                command.args(["--max-connections=12", "--innodb-buffer-pool-size=16M"]);
                command
            },
        };
        command.args(&self.arguments).spawn().unwrap()
    }

    /// Checks whether the server accepts connections. PostgreSQL listens earlier, so this asks it.
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

    /// Sends a signal to the server and to all processes that it started.
    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id();
        // A process of the server may end by itself meanwhile.
        let kill = format!(
            "started=$(ps -o pid= --ppid {id}); kill -{signal} {id} && \
             {{ kill -{signal} $started 2>/dev/null || true; }}"
        );
        assert!(tool_of("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Kills the server, as in a power failure.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.child.take().unwrap().wait().unwrap();
    }

    /// Stops the processes of the server, so that it does not answer any more.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
    }

    pub(crate) fn go_on(&self) {
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
