//! A store behind PgBouncer, which gives each transaction one of a few connections to the server.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/server.rs"]
mod server;
mod support;

use std::cell::RefCell;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_domain::UserStore;
use countersign_persistence::Database;
use server::{Engine, TestDatabase};
use support::user;
use tempfile::TempDir;

/// PgBouncer in transaction mode before a database of a test, with two connections to the server.
struct Pooler {
    child: Child,
    port: u16,
    _folder: TempDir,
    _database: TestDatabase,
}

impl Pooler {
    /// `None`, and a line that says so, where there is no server or no PgBouncer.
    #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
    async fn new() -> Option<Self> {
        let database = TestDatabase::new(Engine::Postgres).await?;
        let server = Engine::Postgres.server();
        let (user, host) = server.strip_prefix("postgres://")?.split_once('@')?;
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        // It takes no empty one.
        let password =
            if password.is_empty() { String::new() } else { format!("password='{password}'") };
        let (host, server_port) = host.split_once(':')?;
        let (_, schema) = database.url.split_once("%3D")?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgbouncer.ini");
        let configuration = format!(
            "[databases]\n\
             site = host={host} port={server_port} dbname=countersign_test user={user} \
             {password} connect_query='SET search_path TO {schema}'\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n"
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
        Some(Self { child, port, _folder: folder, _database: database })
    }

    fn url(&self, parameters: &str) -> String {
        format!("postgres://countersign@127.0.0.1:{}/site{parameters}", self.port)
    }

    /// A store that knows of it.
    async fn store(&self) -> Database {
        let store = Database::connect(&self.url("?pooler=transaction")).await.unwrap();
        countersign_migration::up(store.connection()).await.unwrap();
        store
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // The connections to the server go with it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

mod keeps_the_contract {
    use super::*;

    thread_local! {
        /// Each test has a thread, and its pooler goes with it.
        static POOLER: RefCell<Option<Pooler>> = const { RefCell::new(None) };
    }

    async fn behind() -> Option<Database> {
        let pooler = Pooler::new().await?;
        let store = pooler.store().await;
        POOLER.set(Some(pooler));
        Some(store)
    }

    countersign_domain::store_contract!(optional: async || behind().await);
}

#[tokio::test]
async fn many_programs_start_and_work_over_two_connections_to_the_server() {
    let Some(pooler) = Pooler::new().await else { return };
    let mut stores = Vec::new();
    for _ in 0..6 {
        stores.push(pooler.store().await);
        let state = countersign_migration::status(stores[0].connection()).await.unwrap();
        assert!(state.iter().all(|(_, is_applied)| *is_applied), "{state:?}");
    }
    let work = (0_u32..120).map(|n| {
        let store = stores[n as usize % stores.len()].clone();
        tokio::spawn(async move {
            let user = user(&format!("member{n}"));
            let entry = countersign_domain::contract::any_entry();
            store.insert_user(&user, &entry).await.unwrap();
            let found = store.user_by_email(&user.email).await.unwrap().unwrap();
            assert_eq!(found.id, user.id);
        })
    });
    for done in work.collect::<Vec<_>>() {
        done.await.unwrap();
    }
}

#[tokio::test]
async fn a_pooler_that_the_url_does_not_name_is_an_error() {
    let Some(pooler) = Pooler::new().await else { return };
    let error = Database::connect(&pooler.url("")).await.unwrap_err().to_string();
    assert!(error.contains("unsupported startup parameter"), "{error}");
}

#[tokio::test]
async fn another_pooler_and_options_through_one_are_refused() {
    for (parameters, why) in [
        ("?pooler=session", "pooler must be transaction"),
        ("?pooler=transaction&options=-csearch_path%3Dauth", "a pooler takes no options"),
    ] {
        let url = format!("postgres://countersign@127.0.0.1:1/site{parameters}");
        let error = Database::connect(&url).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
