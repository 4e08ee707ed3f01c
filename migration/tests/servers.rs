//! Tests migrations on database servers, with several programs at once and with programs that are killed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "each test uses a part")]
#[path = "../../crates/persistence/tests/support/server.rs"]
mod server;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign_migration::{down, status, up};
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use server::{Engine, TestDatabase};

async fn ask(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql));
    let rows = rows.await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Returns all columns, indexes, foreign keys and triggers, except those of the table of migrations.
async fn schema(db: &DatabaseConnection) -> Vec<String> {
    let here = match db.get_database_backend() {
        DbBackend::Postgres => "current_schema()",
        _ => "DATABASE()",
    };
    let indexes = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT replace(indexdef, schemaname || '.', '') FROM pg_indexes \
             WHERE schemaname = current_schema()"
        }
        _ => {
            "SELECT CONCAT_WS(' ', table_name, index_name, seq_in_index, column_name, non_unique) \
             FROM information_schema.statistics WHERE table_schema = DATABASE()"
        }
    };
    let mut all = ask(db, indexes).await;
    for sql in [
        "SELECT CONCAT_WS(' ', table_name, column_name, data_type, character_maximum_length, \
         datetime_precision, is_nullable, column_default, collation_name) \
         FROM information_schema.columns WHERE table_schema = @here",
        "SELECT CONCAT_WS(' ', constraint_name, delete_rule) \
         FROM information_schema.referential_constraints WHERE constraint_schema = @here",
        "SELECT CONCAT_WS(' ', trigger_name, event_manipulation, action_timing) \
         FROM information_schema.triggers WHERE trigger_schema = @here",
    ] {
        all.extend(ask(db, &sql.replace("@here", here)).await);
    }
    all.retain(|line| !line.contains("seaql_migrations"));
    all.sort();
    all
}

/// Returns the schema that an undisturbed run creates.
async fn whole(engine: Engine) -> Vec<String> {
    let database = TestDatabase::new(engine).await.unwrap();
    let db = database.connection().await;
    up(&db).await.unwrap();
    schema(&db).await
}

#[tokio::test]
async fn up_down_and_up_again_leaves_the_same_schema() {
    for database in TestDatabase::of_each().await {
        let db = database.connection().await;
        let applied = up(&db).await.unwrap();
        let first = schema(&db).await;
        let trigger = "audit_events_keep_what_is_young DELETE BEFORE";
        assert!(first.iter().any(|line| line == trigger), "{first:?}");
        assert_eq!(up(&db).await.unwrap(), [""; 0], "there is nothing left to do");
        for name in applied.iter().rev() {
            assert_eq!(down(&db, 1).await.unwrap(), std::slice::from_ref(name));
        }
        assert_eq!(schema(&db).await, [""; 0], "{:?}", database.engine);
        assert_eq!(up(&db).await.unwrap(), applied);
        assert_eq!(schema(&db).await, first);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_migrate_at_once_one_does_and_all_succeed() {
    for database in TestDatabase::of_each().await {
        let mut runs = Vec::new();
        for _ in 0..6 {
            let db = database.connection().await;
            runs.push(tokio::spawn(async move { up(&db).await }));
        }
        let mut applied = Vec::new();
        for run in runs {
            applied.extend(run.await.unwrap().unwrap());
        }
        let db = database.connection().await;
        let all = status(&db).await.unwrap();
        assert!(all.iter().all(|(_, applied)| *applied), "{all:?}");
        let all: Vec<_> = all.into_iter().map(|(name, _)| name).collect();
        assert_eq!(applied, all, "each migration was applied by one of them");
        assert_eq!(schema(&db).await, whole(database.engine).await);
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    for database in TestDatabase::of_each().await {
        let db = database.connection().await;
        up(&db).await.unwrap();
        db.execute_unprepared("INSERT INTO seaql_migrations VALUES ('m20990101_000001_robots', 0)")
            .await
            .unwrap();
        let before = schema(&db).await;
        for error in [
            up(&db).await.unwrap_err(),
            down(&db, 1).await.unwrap_err(),
            status(&db).await.unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(
                error.contains("m20990101_000001_robots") && error.contains("newer"),
                "{error}"
            );
        }
        assert_eq!(schema(&db).await, before);
        // A failed run must have released the lock.
        db.execute_unprepared("DELETE FROM seaql_migrations WHERE version LIKE '%robots'")
            .await
            .unwrap();
        assert_eq!(up(&db).await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_table_of_somebody_elses_is_in_the_way_and_stays_as_it_is() {
    for database in TestDatabase::of_each().await {
        let db = database.connection().await;
        db.execute_unprepared("CREATE TABLE sessions (id char(9), user_id int)").await.unwrap();
        let error = up(&db).await.unwrap_err().to_string();
        assert!(error.contains("sessions"), "{error}");
        let left = schema(&db).await;
        assert!(left.iter().any(|line| line.starts_with("sessions id char")), "{left:?}");
        if database.engine == Engine::Postgres {
            assert_eq!(left.len(), 2, "nothing else was done: {left:?}");
        }
        db.execute_unprepared("DROP TABLE sessions").await.unwrap();
        up(&db).await.unwrap();
        assert_eq!(schema(&db).await, whole(database.engine).await);
    }
}

fn program(database: &TestDatabase) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-migration"));
    command.args(["up", "--database-url", &database.url]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

// The run is killed after different shares of the time that it takes on this machine.
#[tokio::test]
async fn a_run_that_is_killed_is_completed_by_the_next() {
    for engine in Engine::ALL {
        let Some(database) = TestDatabase::new(engine).await else { continue };
        let start = Instant::now();
        assert!(program(&database).status().unwrap().success());
        let usual = start.elapsed();
        let expected = schema(&database.connection().await).await;
        for twentieth in 1..20 {
            let database = TestDatabase::new(engine).await.unwrap();
            let mut run = program(&database).spawn().unwrap();
            std::thread::sleep(usual * twentieth / 20);
            run.kill().unwrap();
            run.wait().unwrap();
            let db = database.connection().await;
            up(&db).await.unwrap();
            assert_eq!(schema(&db).await, expected, "killed after {twentieth} of 20 parts");
        }
    }
}

// MariaDB commits each statement, so an interrupted run leaves a partial migration behind.
#[tokio::test]
async fn every_half_of_a_migration_is_completed() {
    let Some(database) = TestDatabase::new(Engine::MariaDb).await else { return };
    let db = database.connection().await;
    let applied = up(&db).await.unwrap();
    let expected = schema(&db).await;
    for half in [
        "DROP TRIGGER audit_ends_keep_their_row",
        "DROP TRIGGER audit_ends_keep_their_row; DROP TRIGGER audit_events_are_not_replaced; \
         ALTER TABLE audit_events DROP INDEX audit_events_at_idx",
        "DROP TABLE audit_ends",
        "DROP TRIGGER audit_queue_keeps_what_waits; DROP TABLE audit_queue",
        "DROP TABLE audit_events, audit_ends; DROP TABLE known_browsers",
        "DROP TABLE audit_events, audit_ends, known_browsers, throttle_counters; \
         ALTER TABLE sessions DROP INDEX sessions_expires_at_idx",
    ] {
        db.execute_unprepared(half).await.unwrap();
        let noted = "DELETE FROM seaql_migrations WHERE version >= 'm20260301_000003'";
        db.execute_unprepared(noted).await.unwrap();
        assert_eq!(up(&db).await.unwrap(), applied[2..]);
        assert_eq!(schema(&db).await, expected, "{half}");
        assert_eq!(ask(&db, "SELECT CAST(COUNT(*) AS CHAR) FROM audit_ends").await, ["1"]);
    }
}

fn say(what: &str) {
    writeln!(std::io::stderr(), "{what}").ok();
}

// `COUNTERSIGN_TEST_USERS=1000000` tests with more users.
#[tokio::test]
async fn a_database_with_many_users_is_migrated_in_bounded_time() {
    #[expect(clippy::disallowed_methods, reason = "a test's configuration begins here")]
    let users = std::env::var("COUNTERSIGN_TEST_USERS");
    let users: u32 = users.map_or(10_000, |count| count.parse().unwrap());
    for database in TestDatabase::of_each().await {
        let db = database.connection().await;
        up(&db).await.unwrap();
        down(&db, 5).await.unwrap();
        let fill = match database.engine {
            Engine::Postgres => format!(
                "INSERT INTO users SELECT gen_random_uuid(), n || '@example.org', \
                 n || '@example.org', 'name', NULL, true, now(), now() \
                 FROM generate_series(1, {users}) n"
            ),
            Engine::MariaDb => format!(
                "INSERT INTO users SELECT UNHEX(MD5(seq)), CONCAT(seq, '@example.org'), \
                 CONCAT(seq, '@example.org'), 'name', NULL, true, NOW(6), NOW(6) \
                 FROM seq_1_to_{users}"
            ),
        };
        db.execute_unprepared(&fill).await.unwrap();
        let start = Instant::now();
        assert_eq!(up(&db).await.unwrap().len(), 5);
        let took = start.elapsed();
        say(&format!("{:?}: {users} users, {took:?}", database.engine));
        assert!(took < Duration::from_secs(60), "{:?} took {took:?}", database.engine);
        let start = Instant::now();
        assert_eq!(up(&db).await.unwrap(), [""; 0]);
        say(&format!("{:?}: with nothing to do, {:?}", database.engine, start.elapsed()));
    }
}

#[tokio::test]
async fn the_trail_is_append_only_on_each_server() {
    for database in TestDatabase::of_each().await {
        let db = database.connection().await;
        up(&db).await.unwrap();
        let digest = "'01234567890123456789012345678901'";
        let id = |number: u32| match database.engine {
            Engine::Postgres => format!("md5('{number}')::uuid"),
            Engine::MariaDb => format!("UNHEX(MD5('{number}'))"),
        };
        let said = |at: &str| {
            format!(
                "'{at}', 'user_logged_in', NULL, 'visitor', NULL, NULL, NULL, NULL, '203.0.113.7', NULL, \
                 NULL, '0123456789abcdef', {digest}, {digest}"
            )
        };
        let event_at = |number: u32, at: &str| {
            format!("INSERT INTO audit_events VALUES ({number}, {}, {})", id(number), said(at))
        };
        let event = |number| event_at(number, "2024-01-01");
        let waiting = |number| {
            format!("INSERT INTO audit_queue VALUES ({}, {})", id(number), said("2024-01-01"))
        };
        for number in 1..=3 {
            db.execute_unprepared(&event(number)).await.unwrap();
        }
        let now = ask(&db, "SELECT CAST(CURRENT_TIMESTAMP AS CHAR(19))").await.remove(0);
        for written in [event_at(4, &now), waiting(3), waiting(7)] {
            db.execute_unprepared(&written).await.unwrap();
        }
        db.execute_unprepared("UPDATE audit_ends SET last_number = 4, removed_number = 1")
            .await
            .unwrap();
        let cut = |number: u32| {
            format!("UPDATE audit_events SET address = NULL, salt = NULL WHERE number = {number}")
        };
        let deleted = |number| format!("DELETE FROM audit_queue WHERE id = {}", id(number));
        for refused in [
            "UPDATE audit_events SET kind = 'user_logged_out' WHERE number = 2",
            "UPDATE audit_events SET request_id = 'other' WHERE number = 2",
            "DELETE FROM audit_events WHERE number = 2",
            "UPDATE audit_events SET address = NULL WHERE number = 2",
            "DELETE FROM audit_ends",
            &cut(4),
            &event(3),
            "UPDATE audit_queue SET kind = 'user_logged_out'",
            &deleted(7),
        ] {
            let error = db.execute_unprepared(refused).await.unwrap_err().to_string();
            assert!(error.contains("append-only"), "{refused}: {error}");
        }
        if database.engine == Engine::Postgres {
            for table in ["audit_events", "audit_ends", "audit_queue"] {
                let truncation = format!("TRUNCATE {table}");
                db.execute_unprepared(&truncation).await.unwrap_err();
            }
        }
        for allowed in [
            &*cut(2),
            "DELETE FROM audit_events WHERE number = 1",
            &event(5),
            &deleted(3),
            "UPDATE audit_ends SET removed_number = 4",
            "DELETE FROM audit_events WHERE number = 3",
        ] {
            db.execute_unprepared(allowed).await.unwrap();
        }
        // What is young stays, whatever is said of it.
        let young = "DELETE FROM audit_events WHERE number = 4";
        db.execute_unprepared(young).await.unwrap_err();
    }
}
