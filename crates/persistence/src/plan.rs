//! That queries use their indexes, and that both kinds of connection are as promised.

mod servers;

use countersign_domain::contract::{alike, any_record, remember_use};
use countersign_domain::{
    AuditFilter, AuthEventKind, EmailAddress, OffsetDateTime, SessionId, ThrottlePolicy,
    TokenDigest, UserId,
};
use countersign_domain::{Client, RememberOutcome, Store};
use sea_orm::prelude::Uuid;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    QueryFilter, QueryTrait, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tempfile::TempDir;

use crate::database::SqlStore;
use crate::{audit, browser, ending, pending, remembered, session, throttle, user};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

async fn database() -> (SqlStore, TempDir) {
    let dir = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", dir.path().join("test.db").display());
    let database = SqlStore::connect(&url).await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    (database, dir)
}

/// Keeps every other writer out.
pub(crate) async fn begin(database: &SqlStore) -> Result<DatabaseTransaction, DbErr> {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    let options = TransactionOptions { sqlite_transaction_mode, ..Default::default() };
    database.writer().begin_with_options(options).await
}

async fn plan(db: &DatabaseConnection, query: &impl QueryTrait) -> String {
    let mut query = query.build(DbBackend::Sqlite);
    query.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
    let steps = db.query_all_raw(query).await.unwrap();
    let steps = steps.iter().map(|step| step.try_get::<String>("", "detail").unwrap());
    steps.collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn every_query_uses_an_index() {
    let (database, _dir) = database().await;
    let db = database.reader();
    let (user_id, session_id) = (UserId::from_uuid(Uuid::nil()), SessionId::from_uuid(Uuid::nil()));
    let token = TokenDigest::from_bytes(&[0; 32]).unwrap();
    let email = EmailAddress::parse("ada@example.org").unwrap();

    let by_token = plan(db, &session::by_token(&token)).await;
    assert!(by_token.contains("sessions USING INDEX sessions_token_digest_key"), "{by_token}");
    assert!(by_token.contains("users USING INDEX sqlite_autoindex_users_1"), "{by_token}");
    let by_email = plan(db, &user::by_email(&email)).await;
    assert!(by_email.contains("USING INDEX users_email_canonical_key"), "{by_email}");
    let purge = plan(db, &session::dead(NOW, NOW, 9)).await;
    for index in ["sessions_expires_at_idx", "sessions_last_seen_at_idx"] {
        assert!(purge.contains(index), "{purge}");
    }
    let of_user = "INDEX sessions_user_id_created_at_idx (user_id=?)";
    let all = [
        (plan(db, &session::begin::newest_first(user_id)).await, of_user),
        (plan(db, &session::begin::beyond(user_id, session_id, 9)).await, of_user),
        (plan(db, &ending::sessions_but(user_id, Some(session_id))).await, of_user),
        (plan(db, &user::page(Some(user_id), 9)).await, "INDEX sqlite_autoindex_users_1 (id>?)"),
        (
            plan(db, &session::touch(session_id, NOW)).await,
            "INDEX sqlite_autoindex_sessions_1 (id=?)",
        ),
        (plan(db, &session::live(NOW, NOW)).await, "INDEX sessions_"),
        (by_token, "(token_digest=?)"),
        (by_email, "(email_canonical=?)"),
        (purge, "MULTI-INDEX OR"),
    ];
    for (plan, index) in all {
        assert!(plan.contains(index) && !plan.contains("SCAN sessions"), "{plan}");
    }
}

#[tokio::test]
async fn every_query_of_remembered_logins_uses_an_index() {
    let (database, _dir) = database().await;
    let db = database.reader();
    let (user_id, session_id) = (UserId::from_uuid(Uuid::nil()), SessionId::from_uuid(Uuid::nil()));
    let token = TokenDigest::from_bytes(&[0; 32]).unwrap();

    let by_series = plan(db, &remembered::by_series(&token)).await;
    assert!(by_series.contains("users USING INDEX sqlite_autoindex_users_1"), "{by_series}");
    let of_user = "INDEX remembered_logins_user_id_created_at_idx (user_id=?)";
    let that_of = plan(db, &ending::that_of(user_id, session_id)).await;
    let all_but = plan(db, &ending::remembered_but(user_id, Some(session_id))).await;
    let expired = plan(db, &remembered::expired(NOW, 9)).await;
    for plan in [&that_of, &all_but] {
        assert!(plan.contains("sessions USING INDEX sqlite_autoindex_sessions_1"), "{plan}");
    }
    for plan in [&that_of, &all_but, &expired] {
        // What the foreign key looks for.
        assert!(plan.contains("INDEX sessions_remembered_id_idx (remembered_id=?)"), "{plan}");
    }
    let all = [
        (by_series, "INDEX remembered_logins_series_digest_key (series_digest=?)"),
        (plan(db, &remembered::newest_first(user_id)).await, of_user),
        (plan(db, &remembered::beyond(user_id, 9)).await, of_user),
        (that_of, of_user),
        (all_but, of_user),
        (expired, "INDEX remembered_logins_expires_at_idx (expires_at<?)"),
    ];
    for (plan, index) in all {
        let scans = ["SCAN sessions", "SCAN remembered_logins", "SCAN users"];
        assert!(plan.contains(index) && !scans.iter().any(|scan| plan.contains(scan)), "{plan}");
    }
}

#[tokio::test]
async fn every_query_of_the_throttle_and_the_trail_uses_an_index() {
    let (database, _dir) = database().await;
    let db = database.reader();
    let user = UserId::from_uuid(Uuid::nil());
    let token = TokenDigest::from_bytes(&[0; 32]).unwrap();
    let email = EmailAddress::parse("1@example.org").unwrap();
    let keys: Vec<_> = ThrottlePolicy::default()
        .login(&email, Some([203, 0, 113, 7].into()), None)
        .iter()
        .map(|counter| counter.key)
        .collect();
    let any = AuditFilter::default();
    let of_user = AuditFilter { user: Some(user), before: Some(9), ..any };
    let of_kind = AuditFilter { kind: Some(AuthEventKind::UserLoginFailed), ..any };
    let in_order = "USING INTEGER PRIMARY KEY";
    let all = [
        (
            plan(db, &throttle::by_keys(&keys)).await,
            "throttle_counters USING INDEX sqlite_autoindex_throttle_counters_1 (key=?)",
        ),
        (
            plan(db, &throttle::forgotten(NOW, 9)).await,
            "INDEX throttle_counters_forgotten_at_idx (forgotten_at<?)",
        ),
        (
            plan(db, &browser::of_user(user)).await,
            "INDEX known_browsers_user_id_created_at_idx (user_id=?)",
        ),
        (
            plan(db, &browser::expired(NOW, 9)).await,
            "INDEX known_browsers_expires_at_idx (expires_at<?)",
        ),
        (plan(db, &pending::by_token(&token, NOW)).await, "sqlite_autoindex_pending_logins_1"),
        (
            plan(db, &pending::beyond(user, &token, 9)).await,
            "INDEX pending_logins_user_id_created_at_idx (user_id=?)",
        ),
        (
            plan(db, &pending::expired(NOW, 9)).await,
            "INDEX pending_logins_expires_at_idx (expires_at<?)",
        ),
        (
            plan(db, &audit::matching(of_user, 9)).await,
            "INDEX audit_events_user_id_number_idx (user_id=? AND number<?)",
        ),
        (
            plan(db, &audit::matching(of_kind, 9)).await,
            "INDEX audit_events_kind_number_idx (kind=?)",
        ),
        (plan(db, &audit::oldest_first(9, 9)).await, in_order),
        (
            plan(db, &audit::seal::waiting(Uuid::nil(), 9)).await,
            "INDEX sqlite_autoindex_audit_queue_1",
        ),
    ];
    for (plan, index) in all {
        let sorts = plan.contains("TEMP B-TREE");
        assert!(plan.contains(index) && !plan.contains("SCAN t") && !sorts, "{plan}");
    }
}

#[tokio::test]
async fn what_began_in_the_future_is_found_by_an_index() {
    let (database, _dir) = database().await;
    let db = database.reader();
    let all = [
        (
            plan(db, &session::entity::Entity::find().filter(session::unborn(NOW))).await,
            "INDEX sqlite_autoindex_sessions_1 (id>?)",
        ),
        (
            plan(db, &remembered::entity::Entity::find().filter(remembered::unborn(NOW))).await,
            "INDEX sqlite_autoindex_remembered_logins_1 (id>?)",
        ),
        (
            plan(db, &pending::entity::Entity::find().filter(pending::unborn(NOW))).await,
            "INDEX pending_logins_expires_at_idx (expires_at>?)",
        ),
        (
            plan(db, &throttle::entity::Entity::find().filter(throttle::unborn(NOW))).await,
            "INDEX throttle_counters_forgotten_at_idx (forgotten_at>?)",
        ),
    ];
    for (plan, index) in all {
        assert!(plan.contains(index), "{plan}");
    }
}

/// Anybody may make up a series, as often as they like.
#[tokio::test]
async fn a_series_that_was_made_up_waits_for_no_writer() {
    let (database, _dir) = database().await;
    let token = &TokenDigest::from_bytes(&[0; 32]).unwrap();
    let change = begin(&database).await.unwrap();
    let (client, record) = (Client::default(), any_record());
    let used = remember_use([token; 3], NOW, &client);
    let outcome = database.remembered().use_remembered(used, alike(&record)).await.unwrap();
    assert_eq!(outcome, RememberOutcome::Unknown);
    let outcome = database.remembered().peek_remembered(used).await.unwrap();
    assert_eq!(outcome, Some(RememberOutcome::Unknown));
    change.rollback().await.unwrap();
}

#[tokio::test]
async fn every_connection_is_set_up_as_promised() {
    let (database, _dir) = database().await;
    for db in [database.reader(), database.writer()] {
        for (pragma, column, value) in [
            ("journal_mode", "journal_mode", "wal"),
            ("synchronous", "synchronous", "2"),
            ("foreign_keys", "foreign_keys", "1"),
            ("busy_timeout", "timeout", "4000"),
        ] {
            let sql = format!("SELECT CAST({column} AS TEXT) FROM pragma_{pragma}");
            let sql = Statement::from_string(DbBackend::Sqlite, sql);
            let row = db.query_one_raw(sql).await.unwrap().unwrap();
            assert_eq!(row.try_get_by_index::<String>(0).unwrap(), value, "{pragma}");
        }
    }
}

#[tokio::test]
async fn readers_cannot_write_and_there_are_eight() {
    let (database, _dir) = database().await;
    database.reader().execute_unprepared("DELETE FROM users").await.unwrap_err();
    let mut busy = Vec::new();
    for _ in 0..8 {
        busy.push(database.reader().begin().await.unwrap());
    }
    database.reader().begin().await.unwrap_err();
}

#[tokio::test]
async fn a_reader_waits_for_no_writer() {
    let (database, _dir) = database().await;
    let change = begin(&database).await.unwrap();
    change.execute_unprepared("DELETE FROM users").await.unwrap();
    Store::ready(&database).await.unwrap();
    change.rollback().await.unwrap();
}
