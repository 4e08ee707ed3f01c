//! Tests of nodes that can no longer follow what the others do.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::nodes::{AN_HOUR, NOBODY_IS_SLOWED, Nodes, is_out, soon};
use crate::own::Own;
use crate::server::{Engine, TestDatabase};
use crate::support::{EMAIL, PASSWORD};

/// Runs statements one after the other.
async fn run(server: &DatabaseConnection, statements: &[&str]) {
    for sql in statements {
        server.execute_unprepared(sql).await.unwrap();
    }
}

/// Evaluates `what` for each connection that listens, and returns their number.
async fn listeners(server: &DatabaseConnection, what: &str) -> usize {
    let sql = format!(
        "SELECT {what} FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"
    );
    let found = server.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
    found.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_connection_that_listens_is_cut_asks_and_listens_anew() {
    let Some(own) = Own::start(Engine::Postgres) else { return };
    let nodes = Nodes::<2>::on(&own.url(), &[AN_HOUR, NOBODY_IS_SLOWED]);
    let server = sea_orm::Database::connect(own.url()).await.unwrap();
    let all_listen = async || {
        let start = std::time::Instant::now();
        while listeners(&server, "pid").await < 2 {
            assert!(start.elapsed() < super::RECOVERED, "they do not listen");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    all_listen().await;
    for _ in 0..3 {
        let mut there = nodes.known_at_second();
        let mut here = there.clone();
        here.port = nodes.nodes[0].port;
        assert_eq!(listeners(&server, "pg_terminate_backend(pid)").await, 2);
        here.post("/logout", &[]).sees_other("/login");
        is_out(&mut there, "logged out while nobody listened");
        all_listen().await;
    }
    assert!(nodes.nodes[1].log().contains("does not say that the audit trail grows"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_follow_trusts_nothing_that_it_remembers() {
    for database in TestDatabase::of_each().await {
        let nodes = Nodes::<2>::on(&database.url, &[AN_HOUR, NOBODY_IS_SLOWED]);
        let mut there = nodes.known_at_second();
        let server = database.connection().await;
        run(&server, &["ALTER TABLE audit_events RENAME TO hidden"]).await;
        let log = || nodes.nodes[1].log();
        soon("it notices", || log().contains("are not known: each request asks"));
        there.get("/blogs").is(200);
        // The sessions end without a record in the trail.
        run(&server, &["DELETE FROM sessions"]).await;
        there.get("/blogs").sees_other("/login?next=%2Fblogs");

        run(&server, &["ALTER TABLE hidden RENAME TO audit_events"]).await;
        soon("it follows again", || log().contains("are known again"));
        let mut there = nodes.known_at_second();
        let mut here = there.clone();
        here.port = nodes.nodes[0].port;
        here.post("/logout", &[]).sees_other("/login");
        is_out(&mut there, "logged out");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_missed_is_known_before_it_trusts_what_it_remembers() {
    let Some(database) = TestDatabase::new(Engine::Postgres).await else { return };
    let seeing = Nodes::<1>::on(&database.url, &[AN_HOUR, NOBODY_IS_SLOWED]);
    let server = database.connection().await;
    let (user, schema) = (database.name(), database.name());
    run(
        &server,
        &[
            &format!("CREATE ROLE {user} LOGIN"),
            &format!("GRANT USAGE ON SCHEMA {schema} TO {user}"),
            &format!("GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {user}"),
        ],
    )
    .await;
    let url = database.url.replace("//postgres@", &format!("//{user}@"));
    let other = Nodes::<1>::start(&url, &[AN_HOUR, NOBODY_IS_SLOWED]);
    let mut there = seeing.nodes[0].member(EMAIL, PASSWORD);
    let mut here = there.clone();
    there.port = other.nodes[0].port;
    there.get("/blogs").is(200);

    run(&server, &[&format!("REVOKE SELECT ON audit_events FROM {user}")]).await;
    let log = || other.nodes[0].log();
    soon("it is blind", || log().contains("are not known: each request asks"));
    here.post("/logout", &[]).sees_other("/login");
    // The node missed the logout, so it must not answer from its cache.
    run(&server, &[&format!("GRANT SELECT ON audit_events TO {user}")]).await;
    soon("it sees again", || log().contains("are known again"));
    there.get("/blogs").sees_other("/login?next=%2Fblogs");
    drop(other);
    run(&server, &[&format!("DROP OWNED BY {user}"), &format!("DROP ROLE {user}")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_that_is_not_the_one_that_was_read_has_all_sessions_read_anew() {
    let Some(database) = TestDatabase::new(Engine::Postgres).await else { return };
    let nodes = Nodes::<2>::on(&database.url, &[AN_HOUR, NOBODY_IS_SLOWED]);
    let mut there = nodes.known_at_second();
    let server = database.connection().await;
    // This looks like another copy of the database, with another last record and without that session.
    run(
        &server,
        &[
            "ALTER TABLE audit_events DISABLE TRIGGER USER",
            "DELETE FROM sessions",
            "UPDATE audit_events SET hash = sha256(hash)",
            "UPDATE audit_ends SET last_hash = sha256(last_hash)",
        ],
    )
    .await;
    is_out(&mut there, "the trail is another");
}
