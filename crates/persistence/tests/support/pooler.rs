//! PgBouncer between a test and its database. It gives each transaction one of a few connections to the
//! server.

use std::io;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::{Engine, TestDatabase};

/// PgBouncer in transaction mode, with two connections to the server at most.
pub(crate) struct Pooler {
    child: Child,
    port: u16,
    _folder: TempDir,
    database: Option<TestDatabase>,
}

impl Pooler {
    /// At that port, before a database of the test's own. `None`, and a line that says so, where there
    /// is no server or no PgBouncer.
    pub(crate) async fn new(port: u16) -> Option<Self> {
        let database = TestDatabase::new(Engine::Postgres).await?;
        let server = Engine::Postgres.server();
        let (user, host) = server.strip_prefix("postgres://")?.split_once('@')?;
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        // It takes no empty one.
        let password =
            if password.is_empty() { String::new() } else { format!("password='{password}'") };
        let (host, server_port) = host.split_once(':')?;
        let (_, schema) = database.url.split_once("%3D")?;
        let server = format!(
            "host={host} port={server_port} dbname=countersign_test user={user} {password} \
             connect_query='SET search_path TO {schema}'"
        );
        let mut pooler = Self::before(&server, port).await?;
        pooler.database = Some(database);
        Some(pooler)
    }

    /// At that port, before a server of which it is told how to get there.
    #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
    pub(crate) async fn before(server: &str, port: u16) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgbouncer.ini");
        let configuration = format!(
            "[databases]\n\
             site = {server}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n\
             max_client_conn = 200\nserver_login_retry = 1\n"
        );
        std::fs::write(&file, configuration).unwrap();
        // It refuses to run as root.
        let mut command = if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(folder.path(), open).unwrap();
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "pgbouncer"]);
            command
        } else {
            Command::new("pgbouncer")
        };
        match Command::new("pgbouncer").arg("--version").output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                eprintln!("skipped: there is no pgbouncer");
                return None;
            }
            version => assert!(version.unwrap().status.success()),
        }
        let child = command.arg("-q").arg(&file).stdout(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "pgbouncer does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(Self { child, port, _folder: folder, database: None })
    }

    pub(crate) fn url(&self, parameters: &str) -> String {
        format!("postgres://countersign@127.0.0.1:{}/site{parameters}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // The connections to the server go with it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
