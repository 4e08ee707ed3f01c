//! The contract of stores, kept by a database in a file, by one in memory, and by those of servers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/server.rs"]
mod server;

use countersign_persistence::SqlStore;
use tempfile::TempDir;

async fn migrated(url: &str) -> SqlStore {
    let database = SqlStore::connect(url).await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    database
}

mod in_a_file {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        /// Each test has a thread, and its directory goes with it.
        static DIRECTORY: RefCell<Option<TempDir>> = const { RefCell::new(None) };
    }

    countersign_domain::store_contract!(async || {
        let dir = TempDir::new().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("test.db").display());
        DIRECTORY.set(Some(dir));
        migrated(&url).await
    });
}

mod in_memory {
    use super::*;

    countersign_domain::store_contract!(async || migrated("sqlite::memory:").await);
}

mod on_a_server {
    use std::cell::RefCell;

    use super::*;
    use crate::server::{Engine, TestDatabase};

    thread_local! {
        /// Each test has a thread, and its database goes with it.
        static DATABASE: RefCell<Option<TestDatabase>> = const { RefCell::new(None) };
    }

    async fn on(engine: Engine) -> Option<SqlStore> {
        let database = TestDatabase::new(engine).await?;
        let store = migrated(&database.url).await;
        DATABASE.set(Some(database));
        Some(store)
    }

    mod of_postgresql {
        use super::*;

        countersign_domain::store_contract!(optional: async || on(Engine::Postgres).await);
    }

    mod of_mariadb {
        use super::*;

        countersign_domain::store_contract!(optional: async || on(Engine::MariaDb).await);
    }
}
