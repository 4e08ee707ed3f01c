//! The same of servers, which choose by what they have counted: so there are rows, and they were
//! counted.

use countersign_domain::{
    AuditFilter, AuthEventKind, EmailAddress, OffsetDateTime, SessionId, ThrottlePolicy,
    TokenDigest, UserId,
};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryTrait, Statement};

use super::NOW;
use crate::database::SqlStore;
use crate::server::{Engine, TestDatabase};
use crate::{audit, browser, ending, pending, remembered, session, throttle, user};

/// The key of a row that is there.
const SHA256_OF_1: [u8; 32] = [
    0x6b, 0x86, 0xb2, 0x73, 0xff, 0x34, 0xfc, 0xe1, 0x9d, 0x6b, 0x80, 0x4e, 0xff, 0x5a, 0x3f, 0x57,
    0x47, 0xad, 0xa4, 0xea, 0xa2, 0x2f, 0x1d, 0x49, 0xc0, 0x1e, 0x52, 0xdd, 0xb7, 0x87, 0x5b, 0x4b,
];

/// After all that there is, so that no time tells rows apart.
const LATER: OffsetDateTime = time::macros::datetime!(2200-01-01 12:00 UTC);

/// Rows in each table: of 2,000 users five each.
const POSTGRES: &str = "
    INSERT INTO users SELECT md5(n::text)::uuid, n || '@example.org', n || '@example.org', 'name',
        NULL, true, now(), now() FROM generate_series(1, 2000) n;
    INSERT INTO remembered_logins SELECT md5(n::text)::uuid, md5((n / 5 + 1)::text)::uuid,
        sha256(n::text::bytea), sha256('s'), NULL, NULL, NULL, now() + n * interval '1 s', now(),
        now() + n * interval '1 s' FROM generate_series(1, 9990) n;
    INSERT INTO sessions SELECT md5(n::text)::uuid, md5((n / 5 + 1)::text)::uuid,
        md5(n::text)::uuid, sha256(n::text::bytea), NULL, NULL, now() + n * interval '1 s', NULL, 'pwd',
        now() + n * interval '1 s', now() + n * interval '1 s' FROM generate_series(1, 9990) n;
    INSERT INTO throttle_counters SELECT sha256(n::text::bytea), 1, now(),
        now() + n * interval '1 s' FROM generate_series(1, 9990) n;
    INSERT INTO known_browsers SELECT sha256(n::text::bytea), md5((n / 5 + 1)::text)::uuid,
        now() + n * interval '1 s', now(), true, now() + n * interval '1 s' FROM generate_series(1, 9990) n;
    INSERT INTO pending_logins SELECT sha256(n::text::bytea), md5((n / 5 + 1)::text)::uuid, 'pwd', NULL,
        false, '', 0, now() + n * interval '1 s', now() + n * interval '1 s' FROM generate_series(1, 9990) n;
    INSERT INTO audit_events SELECT n, md5(n::text)::uuid, now() + n * interval '1 s', 'kind-' || n % 16, NULL, 'visitor',
        NULL, md5((n / 5 + 1)::text)::uuid, NULL, NULL, NULL, NULL, NULL, NULL, sha256('c'), sha256('h')
        FROM generate_series(1, 9990) n;
    INSERT INTO audit_queue SELECT md5(n::text)::uuid, now() + n * interval '1 s', 'kind-' || n % 16, NULL,
        'visitor', NULL, md5((n / 5 + 1)::text)::uuid, NULL, NULL, NULL, NULL, NULL, NULL, sha256('c'),
        sha256('h') FROM generate_series(1, 9990) n;
    ANALYZE users, remembered_logins, sessions, throttle_counters, known_browsers, pending_logins,
        audit_events, audit_queue";

const MARIADB: &str = "
    INSERT INTO users SELECT UNHEX(MD5(seq)), CONCAT(seq, '@example.org'),
        CONCAT(seq, '@example.org'), 'name', NULL, true, NOW(6), NOW(6) FROM seq_1_to_2000;
    INSERT INTO remembered_logins SELECT UNHEX(MD5(seq)), UNHEX(MD5(seq DIV 5 + 1)),
        UNHEX(SHA2(seq, 256)), UNHEX(SHA2('s', 256)), NULL, NULL, NULL, NOW(6) + INTERVAL seq SECOND,
        NOW(6), NOW(6) + INTERVAL seq SECOND FROM seq_1_to_9990;
    INSERT INTO sessions SELECT UNHEX(MD5(seq)), UNHEX(MD5(seq DIV 5 + 1)), UNHEX(MD5(seq)),
        UNHEX(SHA2(seq, 256)), NULL, NULL, NOW(6) + INTERVAL seq SECOND, NULL, 'pwd',
        NOW(6) + INTERVAL seq SECOND, NOW(6) + INTERVAL seq SECOND FROM seq_1_to_9990;
    INSERT INTO throttle_counters SELECT UNHEX(SHA2(seq, 256)), 1, NOW(6),
        NOW(6) + INTERVAL seq SECOND FROM seq_1_to_9990;
    INSERT INTO known_browsers SELECT UNHEX(SHA2(seq, 256)), UNHEX(MD5(seq DIV 5 + 1)),
        NOW(6) + INTERVAL seq SECOND, NOW(6), true, NOW(6) + INTERVAL seq SECOND FROM seq_1_to_9990;
    INSERT INTO pending_logins SELECT UNHEX(SHA2(seq, 256)), UNHEX(MD5(seq DIV 5 + 1)), 'pwd', NULL,
        false, '', 0, NOW(6) + INTERVAL seq SECOND, NOW(6) + INTERVAL seq SECOND FROM seq_1_to_9990;
    INSERT INTO audit_events SELECT seq, UNHEX(MD5(seq)), NOW(6) + INTERVAL seq SECOND, CONCAT('kind-', seq % 16), NULL,
        'visitor', NULL, UNHEX(MD5(seq DIV 5 + 1)), NULL, NULL, NULL, NULL, NULL, NULL, UNHEX(SHA2('c', 256)),
        UNHEX(SHA2('h', 256)) FROM seq_1_to_9990;
    INSERT INTO audit_queue SELECT UNHEX(MD5(seq)), NOW(6) + INTERVAL seq SECOND, CONCAT('kind-', seq % 16),
        NULL, 'visitor', NULL, UNHEX(MD5(seq DIV 5 + 1)), NULL, NULL, NULL, NULL, NULL, NULL,
        UNHEX(SHA2('c', 256)), UNHEX(SHA2('h', 256)) FROM seq_1_to_9990;
    ANALYZE TABLE users, remembered_logins, sessions, throttle_counters, known_browsers,
        pending_logins, audit_events, audit_queue";

/// The steps of a plan, one in a line, with `whole table` in those that read all of one.
async fn plan(db: &DatabaseConnection, mut query: Statement) -> String {
    query.sql.insert_str(0, "EXPLAIN ");
    let steps = db.query_all_raw(query).await.unwrap();
    let lines = steps.iter().map(|step| match db.get_database_backend() {
        DbBackend::Postgres => {
            step.try_get_by_index::<String>(0).unwrap().replace("Seq Scan", "whole table")
        }
        _ => {
            let text = |name| step.try_get::<Option<String>>("", name).unwrap().unwrap_or_default();
            let (table, how) = (text("table"), text("type"));
            // What a subquery found is no table of ours.
            let is_ours = !table.is_empty() && !table.starts_with('<');
            let whole =
                if is_ours && matches!(&*how, "ALL" | "index") { "whole table" } else { "" };
            format!("{table} {how} {} {whole}", text("key"))
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The queries, each with the index that it uses, by its name on PostgreSQL.
fn queries(backend: DbBackend) -> Vec<(Statement, &'static str)> {
    let one = Uuid::from_u128(0xc4ca_4238_a0b9_2382_0dcc_509a_6f75_849b);
    let (user, session_id) = (UserId::from_uuid(one), SessionId::from_uuid(one));
    // MariaDB looks a key up while it plans, and plans nothing for a row that is not there.
    let token = TokenDigest::from_bytes(&SHA256_OF_1).unwrap();
    let email = EmailAddress::parse("1@example.org").unwrap();
    let keys: Vec<_> = ThrottlePolicy::default()
        .login(&email, Some([203, 0, 113, 7].into()), None)
        .iter()
        .map(|counter| counter.key)
        .collect();
    let any = AuditFilter::default();
    let of_user = AuditFilter { user: Some(user), before: Some(9_000), ..any };
    let of_kind = AuditFilter { kind: Some(AuthEventKind::UserLoginFailed), ..any };
    vec![
        (session::by_token(&token).build(backend), "sessions_token_digest_key"),
        (user::by_email(&email).build(backend), "users_email_canonical_key"),
        (user::page(Some(user), 9).build(backend), "users_pkey"),
        (session::begin::newest_first(user).build(backend), "sessions_user_id_created_at_idx"),
        (
            session::begin::beyond(user, SessionId::from_uuid(Uuid::nil()), 9).build(backend),
            "sessions_user_id_created_at_idx",
        ),
        (ending::sessions_but(user, Some(session_id)).build(backend), "sessions_user_id_created"),
        (session::dead(NOW, NOW, 9).build(backend), "sessions_last_seen_at_idx"),
        (session::dead(NOW, NOW, 9).build(backend), "sessions_expires_at_idx"),
        (session::touch(session_id, LATER).build(backend), "sessions_pkey"),
        (remembered::by_series(&token).build(backend), "remembered_logins_series_digest_key"),
        (remembered::newest_first(user).build(backend), "remembered_logins_user_id_created_at"),
        (ending::that_of(user, session_id).build(backend), "remembered_logins_"),
        (ending::remembered_but(user, Some(session_id)).build(backend), "remembered_logins_"),
        (remembered::expired(NOW, 9).build(backend), "remembered_logins_expires_at_idx"),
        (throttle::by_keys(&keys).build(backend), "throttle_counters_pkey"),
        (throttle::forgotten(NOW, 9).build(backend), "throttle_counters_forgotten_at_idx"),
        (browser::of_user(user).build(backend), "known_browsers_user_id_created_at"),
        (browser::expired(NOW, 9).build(backend), "known_browsers_expires_at_idx"),
        (pending::by_token(&token, NOW).build(backend), "pending_logins_pkey"),
        (pending::beyond(user, &token, 9).build(backend), "pending_logins_user_id_created_at"),
        (pending::expired(NOW, 9).build(backend), "pending_logins_expires_at_idx"),
        (audit::matching(of_user, 9).build(backend), "audit_events_user_id_number_idx"),
        (audit::matching(of_kind, 9).build(backend), "audit_events_kind_number_idx"),
        (audit::oldest_first(9_000, 9).build(backend), "audit_events_pkey"),
        (audit::seal::waiting(Uuid::nil(), 9).build(backend), "audit_queue_pkey"),
    ]
}

#[tokio::test]
async fn every_query_uses_an_index_on_each_server() {
    for on in TestDatabase::of_each().await {
        let database = SqlStore::connect(&on.url).await.unwrap();
        countersign_migration::up(database.connection()).await.unwrap();
        let fill = if on.engine == Engine::Postgres { POSTGRES } else { MARIADB };
        let db = on.connection().await;
        db.execute_unprepared(fill).await.unwrap();
        let mut wrong = Vec::new();
        for (query, index) in queries(db.get_database_backend()) {
            let text = query.to_string();
            let plan = plan(&db, query).await;
            let index = match on.engine {
                Engine::MariaDb if index.ends_with("_pkey") => "PRIMARY",
                _ => index,
            };
            if !plan.contains(index) || plan.contains("whole table") {
                wrong.push(format!("{text}\nshould use {index}:\n{plan}"));
            }
        }
        assert!(wrong.is_empty(), "{:?}: {}", on.engine, wrong.join("\n\n"));
    }
}
