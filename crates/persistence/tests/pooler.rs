//! A store behind PgBouncer, which gives each transaction one of a few connections to the server.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pooler.rs"]
mod pooler;
#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/server.rs"]
mod server;
#[expect(dead_code, reason = "each test uses a part")]
mod support;

use std::cell::RefCell;
use std::net::TcpListener;

use countersign_domain::Store;
use countersign_persistence::SqlStore;
use pooler::Pooler;
use support::user;

async fn pooler() -> Option<Pooler> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    Pooler::new(port).await
}

/// A store that knows of its pooler.
async fn store(pooler: &Pooler) -> SqlStore {
    let store = SqlStore::connect(&pooler.url("?pooler=transaction")).await.unwrap();
    countersign_migration::up(store.connection()).await.unwrap();
    store
}

mod keeps_the_contract {
    use super::*;

    thread_local! {
        /// Each test has a thread, and its pooler goes with it.
        static POOLER: RefCell<Option<Pooler>> = const { RefCell::new(None) };
    }

    async fn behind() -> Option<SqlStore> {
        let pooler = pooler().await?;
        let store = store(&pooler).await;
        POOLER.set(Some(pooler));
        Some(store)
    }

    countersign_domain::store_contract!(optional: async || behind().await);
}

#[tokio::test]
async fn many_programs_start_and_work_over_two_connections_to_the_server() {
    let Some(pooler) = pooler().await else { return };
    let mut stores = Vec::new();
    for _ in 0..6 {
        stores.push(store(&pooler).await);
        let state = countersign_migration::status(stores[0].connection()).await.unwrap();
        assert!(state.iter().all(|(_, is_applied)| *is_applied), "{state:?}");
    }
    // A call waits three seconds for its turn, which a slow disk must not use up.
    let work = (0_u32..60).map(|n| {
        let store = stores[n as usize % stores.len()].clone();
        tokio::spawn(async move {
            let user = user(&format!("member{n}"));
            let entry = countersign_domain::contract::any_record();
            store.users().insert_user(&user, &entry).await.unwrap();
            let found = store.users().user_by_email(&user.email).await.unwrap().unwrap();
            assert_eq!(found.id, user.id);
        })
    });
    for done in work.collect::<Vec<_>>() {
        done.await.unwrap();
    }
}

#[tokio::test]
async fn a_pooler_that_the_url_does_not_name_is_an_error() {
    let Some(pooler) = pooler().await else { return };
    let error = SqlStore::connect(&pooler.url("")).await.unwrap_err().to_string();
    assert!(error.contains("unsupported startup parameter"), "{error}");
}

#[tokio::test]
async fn another_pooler_and_options_through_one_are_refused() {
    for (parameters, why) in [
        ("?pooler=session", "pooler must be transaction"),
        ("?pooler=transaction&options=-csearch_path%3Dauth", "a pooler takes no options"),
    ] {
        let url = format!("postgres://countersign@127.0.0.1:1/site{parameters}");
        let error = SqlStore::connect(&url).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
