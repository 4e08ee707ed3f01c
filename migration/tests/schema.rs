//! Tests that the schema migrates up and down as a whole, even with many programs at once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use countersign_migration::{down, status, up};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};
use tempfile::TempDir;

const ALL: [&str; 7] = [
    "m20260301_000001_users",
    "m20260301_000002_remembered_logins",
    "m20260301_000003_sessions",
    "m20261124_000004_throttle",
    "m20261124_000005_audit",
    "m20261128_000006_pending_logins",
    "m20261128_000007_site",
];

async fn open(dir: &TempDir) -> DatabaseConnection {
    let file = dir.path().join("test.db");
    Database::connect(format!("sqlite://{}?mode=rwc", file.display())).await.unwrap()
}

async fn ask(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn schema(db: &DatabaseConnection) -> Vec<String> {
    ask(db, "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY 1")
        .await
}

fn pending_from(applied: usize) -> Vec<(String, bool)> {
    ALL.iter().enumerate().map(|(n, name)| (name.to_string(), n < applied)).collect()
}

#[tokio::test]
async fn up_down_and_up_again_leaves_the_same_schema() {
    let dir = TempDir::new().unwrap();
    let db = open(&dir).await;
    assert_eq!(up(&db).await.unwrap(), ALL);
    let first = schema(&db).await;
    assert!(first.iter().any(|line| line.starts_with("index users_email_canonical_key ")));
    assert_eq!(up(&db).await.unwrap(), [""; 0], "there is nothing left to do");
    let newest_first: Vec<_> = ALL.iter().rev().collect();
    let all = u32::try_from(ALL.len()).unwrap();
    assert_eq!(down(&db, all).await.unwrap().iter().collect::<Vec<_>>(), newest_first);
    let left = schema(&db).await;
    assert!(left.iter().all(|line| line.contains("seaql_migrations")), "{left:?}");
    assert_eq!(up(&db).await.unwrap(), ALL);
    assert_eq!(schema(&db).await, first);
}

#[tokio::test]
async fn down_takes_back_the_newest_first_and_no_more_than_asked() {
    let dir = TempDir::new().unwrap();
    let db = open(&dir).await;
    up(&db).await.unwrap();
    assert_eq!(down(&db, 1).await.unwrap(), [ALL[6]]);
    assert_eq!(status(&db).await.unwrap(), pending_from(6));
    assert_eq!(up(&db).await.unwrap(), [ALL[6]]);
    assert_eq!(status(&db).await.unwrap(), pending_from(7));
}

#[tokio::test]
async fn status_of_a_fresh_database_is_all_pending_and_writes_nothing() {
    let dir = TempDir::new().unwrap();
    let db = open(&dir).await;
    assert_eq!(status(&db).await.unwrap(), pending_from(0));
    assert_eq!(schema(&db).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_migrate_at_once_one_does_and_all_succeed() {
    let dir = TempDir::new().unwrap();
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(open(&dir).await);
    }
    let runs = connections.iter().cloned().map(|db| tokio::spawn(async move { up(&db).await }));
    let mut applied = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        applied.extend(run.await.unwrap().unwrap());
    }
    assert_eq!(applied, ALL, "each migration was applied by one of them");
    assert_eq!(status(&connections[0]).await.unwrap(), pending_from(7));
}

#[tokio::test]
async fn a_run_that_fails_half_way_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let db = open(&dir).await;
    db.execute_unprepared("CREATE TABLE sessions (in_the_way text)").await.unwrap();
    up(&db).await.unwrap_err();
    let left = schema(&db).await;
    assert_eq!(left, ["table sessions CREATE TABLE sessions (in_the_way text)"]);
    assert_eq!(status(&db).await.unwrap(), pending_from(0));
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let dir = TempDir::new().unwrap();
    let db = open(&dir).await;
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
        assert!(error.contains("m20990101_000001_robots") && error.contains("newer"), "{error}");
    }
    assert_eq!(schema(&db).await, before);
}

const ADA: &str = "INSERT INTO users VALUES (x'01', 'a@b.c', 'a@b.c', 'a', NULL, 1, '', '')";
const REMEMBERED: &str = "INSERT INTO remembered_logins \
     VALUES (x'02', x'01', x'03', x'04', NULL, NULL, NULL, '', '', '')";

/// Makes a database with two sessions: one of a remembered login, one of an ordinary login.
async fn with_sessions(dir: &TempDir) -> DatabaseConnection {
    let db = open(dir).await;
    up(&db).await.unwrap();
    for sql in [
        ADA,
        REMEMBERED,
        "INSERT INTO sessions VALUES (x'05', x'01', x'02', x'06', NULL, NULL, '', NULL, '', '', '')",
        "INSERT INTO sessions VALUES (x'07', x'01', NULL, x'08', NULL, NULL, '', '', '', '', '')",
    ] {
        db.execute_unprepared(sql).await.unwrap();
    }
    db
}

#[tokio::test]
async fn a_user_takes_their_sessions_and_remembered_logins_along() {
    let dir = TempDir::new().unwrap();
    let db = with_sessions(&dir).await;
    db.execute_unprepared("DELETE FROM users").await.unwrap();
    assert_eq!(ask(&db, "SELECT hex(id) FROM sessions").await, [""; 0]);
    assert_eq!(ask(&db, "SELECT hex(id) FROM remembered_logins").await, [""; 0]);
}

#[tokio::test]
async fn a_remembered_login_takes_its_sessions_along_and_no_other() {
    let dir = TempDir::new().unwrap();
    let db = with_sessions(&dir).await;
    db.execute_unprepared("DELETE FROM sessions WHERE id = x'05'").await.unwrap();
    assert_eq!(ask(&db, "SELECT hex(id) FROM remembered_logins").await, ["02"]);
    let dir = TempDir::new().unwrap();
    let db = with_sessions(&dir).await;
    db.execute_unprepared("DELETE FROM remembered_logins").await.unwrap();
    assert_eq!(ask(&db, "SELECT hex(id) FROM sessions").await, ["07"]);
}

#[tokio::test]
async fn a_series_belongs_to_one_remembered_login() {
    let dir = TempDir::new().unwrap();
    let db = with_sessions(&dir).await;
    let twin = REMEMBERED.replace("x'02'", "x'09'");
    db.execute_unprepared(&twin).await.unwrap_err();
    db.execute_unprepared(&twin.replace("x'03'", "x'0A'")).await.unwrap();
}

#[tokio::test]
async fn every_step_down_works_on_a_database_in_use() {
    let dir = TempDir::new().unwrap();
    let db = with_sessions(&dir).await;
    for left in (0..ALL.len()).rev() {
        assert_eq!(down(&db, 1).await.unwrap(), [ALL[left]]);
        assert_eq!(status(&db).await.unwrap(), pending_from(left));
    }
    assert_eq!(up(&db).await.unwrap(), ALL);
}
