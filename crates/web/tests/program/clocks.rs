//! Tests that a clock that is wrong for a while has nothing removed.

use std::process::Command;

use sea_orm::ConnectionTrait;

use crate::server::{Engine, TestDatabase};
use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Place, Server};

/// Counts the rows of a table.
async fn count(database: &TestDatabase, table: &str) -> i64 {
    let connection = database.connection().await;
    let question = format!("SELECT CAST(COUNT(*) AS CHAR(9)) FROM {table}");
    let question = sea_orm::Statement::from_string(connection.get_database_backend(), question);
    let row = connection.query_one_raw(question).await.unwrap().unwrap();
    connection.close().await.unwrap();
    row.try_get_by_index::<String>(0).unwrap().trim().parse().unwrap()
}

async fn by_hand(database: &TestDatabase, statement: &str) {
    let connection = database.connection().await;
    connection.execute_unprepared(statement).await.unwrap();
    connection.close().await.unwrap();
}

fn env(url: &str) -> [(&str, &str); 1] {
    [("COUNTERSIGN_DATABASE_URL", url)]
}

/// Stops a server, whose last deed is to clean up. Returns its log.
fn end(server: Server) -> String {
    let kill = format!("kill -TERM {}", server.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let (code, log) = server.ended();
    assert_eq!(code, Some(0), "{log}");
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_whose_clock_is_wrong_for_a_while_loses_nothing() {
    let Some(database) = TestDatabase::new(Engine::Postgres).await else { return };
    let place = Place::new();
    let server = place.serve(&env(&database.url));
    server.browser().try_register(EMAIL, PASSWORD).unwrap().sees_other("/login");
    server.browser().log_in(EMAIL, OTHER_PASSWORD).is(401);
    let mut ada = server.member(EMAIL, PASSWORD);
    assert_eq!(server.end("TERM").0, Some(0));
    let verify =
        || place.run_with(&env(&database.url), &["audit", "verify"], "").works().to_owned();
    let before = verify();

    for days in [401, -401] {
        // Where the function of this schema comes before the server's own, its clock is wrong.
        by_hand(
            &database,
            &format!(
                "CREATE OR REPLACE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS \
                 $$SELECT pg_catalog.clock_timestamp() + interval '{days} days'$$"
            ),
        )
        .await;
        let wrong = format!("{}%2Cpg_catalog", database.url);
        let server = place.serve(&env(&wrong));
        let log = end(server);
        assert!(log.contains("nothing is removed") && !log.contains("was removed"), "{log}");
        assert_eq!(verify(), before, "{days}");
    }
    assert_eq!(count(&database, "known_browsers").await, 1);
    let server = place.serve(&env(&database.url));
    ada.port = server.port;
    ada.get("/blogs").is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_stays_while_the_clock_is_doubted_and_is_removed_with_a_line_of_the_log() {
    for database in TestDatabase::of_each().await {
        let place = Place::new();
        let env = env(&database.url);
        let server = place.serve(&env);
        server.browser().try_register(EMAIL, PASSWORD).unwrap().sees_other("/login");
        server.member(EMAIL, PASSWORD);
        assert_eq!(server.end("TERM").0, Some(0));
        // The session is over, and the last cleaning was a year ago or is to come.
        by_hand(&database, "UPDATE sessions SET expires_at = '2001-01-01 00:00:00'").await;
        for noted in ["2001-01-01 00:00:00", "2099-01-01 00:00:00"] {
            by_hand(&database, &format!("UPDATE cleaning SET at = '{noted}'")).await;
            let log = end(place.serve(&env));
            assert!(log.contains("nothing is removed"), "{:?}: {log}", database.engine);
            assert_eq!(count(&database, "sessions").await, 1, "{:?}", database.engine);
        }
        // Without it the newest record of the trail says that the clock is right.
        by_hand(&database, "DELETE FROM cleaning").await;
        let log = end(place.serve(&env));
        let line = log.lines().find(|line| line.contains("what is old was removed"));
        assert!(line.is_some_and(|line| line.contains("\"sessions\":1")), "{log}");
        assert_eq!(count(&database, "sessions").await, 0);
        assert_eq!(count(&database, "cleaning").await, 1);
    }
}
