//! Databases of their own for tests, on servers that are there already: those that
//! `COUNTERSIGN_TEST_POSTGRES` and `COUNTERSIGN_TEST_MYSQL` name, or else the usual ones of this
//! machine. `scripts/test` starts some where there are none.
//!
//! On PostgreSQL it takes a second to drop a database, so that each test has a schema of its own in one
//! database, `countersign_test`, which is left there empty.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    MariaDb,
}

impl Engine {
    pub(crate) const ALL: [Self; 2] = [Self::Postgres, Self::MariaDb];

    /// The URL of the server, without a database.
    #[expect(clippy::disallowed_methods, reason = "a test's configuration begins here")]
    pub(crate) fn server(self) -> String {
        let (name, usual) = match self {
            Self::Postgres => ("COUNTERSIGN_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432"),
            Self::MariaDb => ("COUNTERSIGN_TEST_MYSQL", "mysql://root@127.0.0.1:3306"),
        };
        std::env::var(name).unwrap_or_else(|_| usual.to_owned())
    }

    /// Connects to where databases of tests are made.
    async fn connect(self) -> Result<DatabaseConnection, sea_orm::DbErr> {
        if self == Self::MariaDb {
            return self.connect_to("/mysql").await;
        }
        match self.connect_to("/countersign_test").await {
            Err(_) => {
                let server = self.connect_to("/postgres").await?;
                // Another test may have come first.
                server.execute_unprepared("CREATE DATABASE countersign_test").await.ok();
                self.connect_to("/countersign_test").await
            }
            connected => connected,
        }
    }

    async fn connect_to(self, database: &str) -> Result<DatabaseConnection, sea_orm::DbErr> {
        let mut options = ConnectOptions::new(self.server() + database);
        options.max_connections(1).sqlx_logging(false);
        options.acquire_timeout(std::time::Duration::from_secs(30));
        Database::connect(options).await
    }
}

/// An empty database, which is gone when this is, also when its test fails.
pub(crate) struct TestDatabase {
    pub(crate) engine: Engine,
    name: String,
    pub(crate) url: String,
}

impl TestDatabase {
    /// `None`, and a line that says so, where there is no server.
    pub(crate) async fn new(engine: Engine) -> Option<Self> {
        let server = match engine.connect().await {
            Ok(server) => server,
            Err(error) => {
                // Past what the harness keeps for itself.
                let line =
                    format!("skipped: {engine:?}: no server at {}: {error}", engine.server());
                writeln!(std::io::stderr(), "{line}").ok();
                return None;
            }
        };
        let name = format!("countersign_test_{:016x}", RandomState::new().build_hasher().finish());
        let (what, path) = match engine {
            Engine::Postgres => {
                ("SCHEMA", format!("countersign_test?options=-csearch_path%3D{name}"))
            }
            Engine::MariaDb => ("DATABASE", name.clone()),
        };
        server.execute_unprepared(&format!("CREATE {what} {name}")).await.unwrap();
        server.close().await.unwrap();
        let url = format!("{}/{path}", engine.server());
        Some(Self { engine, name, url })
    }

    /// A database on each server that is there.
    pub(crate) async fn of_each() -> Vec<Self> {
        let mut all = Vec::new();
        for engine in Engine::ALL {
            all.extend(Self::new(engine).await);
        }
        all
    }

    /// The name of the schema, or of the database.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A connection without any setting of the store's.
    pub(crate) async fn connection(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(&self.url);
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await.unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (engine, name) = (self.engine, std::mem::take(&mut self.name));
        let removal = match engine {
            Engine::Postgres => format!("DROP SCHEMA {name} CASCADE"),
            Engine::MariaDb => format!("DROP DATABASE {name}"),
        };
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let server = engine.connect().await.unwrap();
                server.execute_unprepared(&removal).await.unwrap();
            });
        });
        if dropping.join().is_err() {
            writeln!(std::io::stderr(), "a database of a test is left behind").ok();
        }
    }
}
