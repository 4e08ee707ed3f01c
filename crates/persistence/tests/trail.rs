//! Tests that records of the audit trail get their place one after the other while transactions that write
//! them wait for nobody.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/server.rs"]
mod server;
#[expect(dead_code, reason = "each test uses a part")]
mod support;

use std::collections::HashSet;
use std::time::Duration;

use countersign_domain::contract::any_record;
use countersign_domain::{
    Aged, Ageing, AgeingRule, AuditRecord, AuthEventKind, BrokenChain, ChainLink, Record, Store,
};
use countersign_persistence::SqlStore;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TransactionTrait};
use server::{Engine, TestDatabase};
use support::{START, rng, user};

/// Long enough for a busy machine, and shorter than a lock is waited for.
const WITHOUT_WAITING: Duration = Duration::from_millis(2_500);

async fn migrated(url: &str) -> SqlStore {
    let database = SqlStore::connect(url).await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    database
}

/// Returns a record that differs from all others by its request.
fn request(name: &str) -> Record {
    let mut record = any_record();
    record.audit.event.request_id = Some(name.to_owned());
    record
}

/// Returns the whole trail after it has checked the chain.
async fn trail(database: &SqlStore) -> Vec<AuditRecord> {
    let ends = database.audit().audit_ends().await.unwrap();
    let records = database.audit().audit_trail(ends.removed.number, 10_000).await.unwrap();
    let mut at = ends.removed;
    for record in &records {
        record.check(at).unwrap();
        at = record.link;
    }
    assert_eq!(at, ends.last);
    records
}

async fn requests(database: &SqlStore) -> Vec<String> {
    trail(database).await.into_iter().filter_map(|record| record.event.request_id).collect()
}

async fn count(db: &DatabaseConnection, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    let question = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(question).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn what_a_killed_process_wrote_gets_its_place_from_another() {
    for on in TestDatabase::of_each().await {
        let (one, other) = (migrated(&on.url).await, migrated(&on.url).await);
        let ada = user("ada");
        one.users().insert_user(&ada, &request("registered").about(ada.id)).await.unwrap();
        one.audit().record(&[request("first"), request("second")]).await.unwrap();
        // It dies before it gives them their place.
        drop(one);
        let db = on.connection().await;
        assert_eq!((count(&db, "audit_queue").await, count(&db, "audit_events").await), (3, 0));
        let users = other.audit().audit_users(0, 9).await.unwrap();
        assert_eq!(users.iter().map(|(link, _)| link.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(users[0].1, Some(ada.id));
        assert_eq!(requests(&other).await, ["registered", "first", "second"]);
        assert_eq!(count(&db, "audit_queue").await, 0);
    }
}

#[tokio::test]
async fn a_queue_of_an_older_moment_than_the_trail_stops_nothing() {
    for on in TestDatabase::of_each().await {
        let database = migrated(&on.url).await;
        database.audit().record(&[request("first"), request("second")]).await.unwrap();
        assert_eq!(requests(&database).await, ["first", "second"]);
        let db = on.connection().await;
        let columns = "id, at, kind, actor, request_id, address, user_agent, salt, client_digest";
        let again = format!(
            "INSERT INTO audit_queue ({columns}, digest) SELECT {columns}, client_digest \
             FROM audit_events WHERE number = 1"
        );
        db.execute_unprepared(&again).await.unwrap();
        database.audit().record(&[request("third")]).await.unwrap();
        assert_eq!(requests(&migrated(&on.url).await).await, ["first", "second", "third"]);
        assert_eq!(count(&db, "audit_queue").await, 0);
    }
}

#[tokio::test]
async fn a_record_of_a_clock_that_is_behind_gets_its_place_all_the_same() {
    for on in TestDatabase::of_each().await {
        let database = migrated(&on.url).await;
        assert!(requests(&database).await.is_empty());
        database.audit().record(&[request("late")]).await.unwrap();
        let db = on.connection().await;
        let waits = if on.engine == Engine::Postgres {
            "ALTER TABLE audit_queue DISABLE TRIGGER ALL"
        } else {
            "DROP TRIGGER audit_queue_keeps_what_was_written"
        };
        db.execute_unprepared(waits).await.unwrap();
        let old = "UPDATE audit_queue SET id = '01900000-0000-7000-8000-000000000000'";
        let old = if on.engine == Engine::Postgres {
            old.to_owned()
        } else {
            "UPDATE audit_queue SET id = UNHEX('01900000000070008000000000000000')".to_owned()
        };
        db.execute_unprepared(&old).await.unwrap();
        // A process that has just looked finds it within a minute, and any other at once.
        assert_eq!(requests(&migrated(&on.url).await).await, ["late"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_gets_two_places_however_many_write_and_read_at_once() {
    for on in TestDatabase::of_each().await {
        let mut all = Vec::new();
        for node in 0..3 {
            let database = migrated(&on.url).await;
            for writer in 0..4 {
                let database = database.clone();
                all.push(tokio::spawn(async move {
                    for n in 0..25 {
                        let record = request(&format!("{node}-{writer}-{n}"));
                        database.audit().record(&[record]).await.unwrap();
                        if n % 5 == writer {
                            database.audit().audit_users(0, 9).await.unwrap();
                        }
                    }
                }));
            }
        }
        for one in all {
            one.await.unwrap();
        }
        let requests = requests(&migrated(&on.url).await).await;
        assert_eq!(requests.len(), 300, "{:?}", on.engine);
        assert_eq!(requests.iter().collect::<HashSet<_>>().len(), 300);
        // What one writer does one after the other is in that order.
        for (node, writer) in (0..3).flat_map(|node| (0..4).map(move |writer| (node, writer))) {
            let start = format!("{node}-{writer}-");
            let theirs: Vec<_> = requests.iter().filter(|name| name.starts_with(&start)).collect();
            let expected: Vec<_> = (0..25).map(|n| format!("{start}{n}")).collect();
            assert_eq!(theirs, expected.iter().collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn who_writes_a_record_waits_neither_for_another_nor_for_who_reads_them() {
    for on in TestDatabase::of_each().await {
        let (one, other) = (migrated(&on.url).await, migrated(&on.url).await);
        let open = one.connection().begin().await.unwrap();
        SqlStore::append(&open, &request("slow")).await.unwrap();
        let reader = on.connection().await.begin().await.unwrap();
        reader.execute_unprepared("SELECT * FROM audit_ends FOR UPDATE").await.unwrap();
        let quick = [request("quick")];
        let written = tokio::time::timeout(WITHOUT_WAITING, other.audit().record(&quick)).await;
        written.unwrap().unwrap();
        reader.rollback().await.unwrap();
        assert_eq!(requests(&other).await, ["quick"]);
        open.commit().await.unwrap();
        assert_eq!(requests(&other).await, ["quick", "slow"]);
    }
}

/// Removes the triggers that keep others from changing the queue.
async fn without_triggers(on: &TestDatabase) -> DatabaseConnection {
    let db = on.connection().await;
    for name in ["audit_queue_keeps_what_was_written", "audit_queue_keeps_what_waits"] {
        let table = if on.engine == Engine::Postgres { " ON audit_queue" } else { "" };
        db.execute_unprepared(&format!("DROP TRIGGER {name}{table}")).await.unwrap();
    }
    db
}

#[tokio::test]
async fn a_record_that_is_changed_while_it_waits_for_its_place_shows() {
    for on in TestDatabase::of_each().await {
        for change in [
            "UPDATE audit_queue SET kind = 'user_logged_out' WHERE request_id = 'second'",
            "UPDATE audit_queue SET address = '203.0.113.9' WHERE request_id = 'second'",
            "UPDATE audit_queue SET salt = NULL WHERE request_id = 'second'",
            "UPDATE audit_queue SET digest = client_digest WHERE request_id = 'second'",
        ] {
            let on = TestDatabase::new(on.engine).await.unwrap();
            let database = migrated(&on.url).await;
            let names = ["first", "second", "third"];
            database.audit().record(&names.map(request)).await.unwrap();
            let db = on.connection().await;
            db.execute_unprepared(change).await.unwrap_err();
            without_triggers(&on).await.execute_unprepared(change).await.unwrap();
            let records = database.audit().audit_trail(0, 9).await.unwrap();
            assert_eq!(records.len(), 3);
            records[0].check(ChainLink::default()).unwrap();
            let found = records[1].check(records[0].link);
            assert_eq!(found, Err(BrokenChain::Altered(2)), "{:?}: {change}", on.engine);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_records_are_removed_once_and_that_is_said_once() {
    for on in TestDatabase::of_each().await {
        let stores = [migrated(&on.url).await, migrated(&on.url).await, migrated(&on.url).await];
        let records: Vec<_> = (0..40).map(|n| request(&n.to_string())).collect();
        stores[0].audit().record(&records).await.unwrap();
        for what in [Ageing::Shorten, Ageing::Remove] {
            let rule = AgeingRule { what, kept: time::Duration::HOUR, limit: 10 };
            let now = START + time::Duration::DAY;
            let age = stores.iter().map(|store| {
                let (store, record) = (store.clone(), rule.record(now, &mut rng()));
                tokio::spawn(async move { store.audit().age_audit(rule, &record).await.unwrap() })
            });
            let age: Vec<_> = age.collect();
            let mut aged = 0;
            for one in age {
                aged += one.await.unwrap();
            }
            let trail = trail(&stores[1]).await;
            let says = |record: &&AuditRecord| record.event.kind == what.kind();
            let said: Vec<_> = trail.iter().filter(says).filter_map(Aged::of).collect();
            assert_eq!(said.len() as u64 * 10, aged, "{:?}", on.engine);
            assert_eq!(said.last().map(|last| last.up_to.number), Some(aged));
        }
        let left = trail(&stores[2]).await;
        let removed: Vec<_> = left
            .iter()
            .filter(|record| record.event.kind == AuthEventKind::AuditRemoved)
            .filter_map(Aged::of)
            .collect();
        let ends = stores[2].audit().audit_ends().await.unwrap();
        assert_eq!(removed.last().map(|last| last.up_to), Some(ends.removed));
    }
}
