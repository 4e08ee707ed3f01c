//! A database that is copied into another one is the same there, however often the copying was
//! interrupted; what is not the same is found.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/server.rs"]
mod server;
mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_domain::contract::any_record;
use countersign_domain::{Ageing, AgeingRule, AuditEntry, Client, Record, Store, User, Username};
use countersign_persistence::{
    ComparedTable, Contents, ExportError, ExportProgress, ExportStep, SqlStore,
};
use sea_orm::ConnectionTrait;
use server::TestDatabase;
use support::{File, START, rng, session, user};
use tokio::sync::Notify;

async fn migrated(url: &str) -> SqlStore {
    let database = SqlStore::connect(url).await.unwrap();
    countersign_migration::up(database.connection()).await.unwrap();
    database
}

fn silent(_: ExportProgress) {}

/// A site with `members`, each with a session and a record, in all the states that a row may be in.
async fn site(members: u32) -> (File, SqlStore) {
    let file = File::new();
    let database = file.migrated().await;
    let (mut users, mut sessions, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..members {
        let later = time::Duration::microseconds(i64::from(n) * 1_000_001);
        let mut somebody = user(&format!("member{n}"));
        somebody.username = Username::parse(&format!("Étienne {n}")).unwrap();
        somebody.is_active = n % 3 != 0;
        somebody.updated_at = START + later;
        if n % 5 == 0 {
            somebody.password_hash = None;
        }
        let (mut session, token) = session(&somebody, START + later);
        if n % 2 == 0 {
            session.client =
                Client::new(Some("2001:db8::1".parse().unwrap()), Some("Füchse/🦊 'x'\\"));
            session.authenticated_at = None;
        } else if n % 7 == 0 {
            session.client = Client::default();
        }
        let mut event = any_record().audit.event;
        event.user = (n % 4 != 0).then_some(somebody.id);
        event.at = START + later;
        event.client = session.client.clone();
        entries.push(Record::new(AuditEntry::new(event, &mut rng())));
        users.push(somebody);
        sessions.push((session, token));
    }
    database.insert_all(&users, &sessions).await.unwrap();
    database.audit().record(&entries).await.unwrap();
    // The first have lost their addresses, the very first are gone.
    for (what, first) in [(Ageing::Shorten, 9), (Ageing::Remove, 3)] {
        let kept = time::Duration::MINUTE;
        let rule = AgeingRule { what, kept, limit: 1_000 };
        let now = START + kept + time::Duration::seconds(first);
        database.audit().age_audit(rule, &rule.record(now, &mut rng())).await.unwrap();
    }
    (file, database)
}

/// All that a database holds.
async fn contents(database: &SqlStore) -> Vec<Contents> {
    let compared = database.compare_with(database, &silent).await.unwrap();
    assert!(compared.iter().all(ComparedTable::is_same));
    compared.iter().map(|table| table.source).collect()
}

async fn differing(source: &SqlStore, target: &SqlStore) -> Vec<&'static str> {
    let compared = source.compare_with(target, &silent).await.unwrap();
    compared.iter().filter(|table| !table.is_same()).map(|table| table.table).collect()
}

#[tokio::test]
async fn a_site_that_goes_round_all_databases_comes_home_as_it_was() {
    // More than go into one statement.
    let (_first, mut here) = site(2_300).await;
    let before = contents(&here).await;
    assert_eq!(before.iter().map(|table| table.rows).sum::<u64>(), 2_300 * 3 - 3 + 2 + 1);
    let servers = TestDatabase::of_each().await;
    let home = File::new();
    let mut stops = Vec::new();
    for server in &servers {
        stops.push(migrated(&server.url).await);
    }
    stops.push(home.migrated().await);
    for stop in stops {
        here.copy_into(&stop, &silent).await.unwrap();
        assert_eq!(differing(&here, &stop).await, [""; 0]);
        assert_eq!(contents(&stop).await, before);
        here = stop;
    }
    // It lives on: the trail takes the next record, and none from before.
    here.users().insert_user(&user("new"), &any_record()).await.unwrap();
    assert_eq!(here.audit().audit_ends().await.unwrap().last.number, 2_303);
}

/// Copies until the progress is told for the `nth` time, and is gone in the middle of what it does.
/// Says whether it has come to its end, and from which row on each table was copied.
async fn interrupted(source: &SqlStore, target: &SqlStore, nth: u64) -> (bool, Vec<u64>) {
    let (told, stop) = (AtomicU64::new(0), Notify::new());
    let starts = std::sync::Mutex::new(Vec::new());
    let tell = |progress: ExportProgress| {
        let mut starts = starts.lock().unwrap();
        if progress.step == ExportStep::Copy && starts.len() < 9 {
            starts.push(progress.rows);
        }
        if told.fetch_add(1, Ordering::Relaxed) + 1 == nth {
            stop.notify_one();
        }
    };
    let done = {
        let moment = async {
            stop.notified().await;
            // Some moment between this statement and the next but one.
            tokio::time::sleep(Duration::from_micros(nth * 397 % 4_000)).await;
        };
        tokio::select! {
            done = source.copy_into(target, &tell) => {
                done.unwrap();
                true
            }
            () = moment => false,
        }
    };
    (done, starts.into_inner().unwrap())
}

#[tokio::test]
async fn an_export_that_is_interrupted_again_and_again_goes_on_and_ends_with_the_same() {
    let (_file, source) = site(2_300).await;
    let servers = TestDatabase::of_each().await;
    let file = File::new();
    let mut targets = vec![file.migrated().await];
    for server in &servers {
        targets.push(migrated(&server.url).await);
    }
    for target in targets {
        let (mut interruptions, mut went_on) = (0, false);
        for nth in 1..200 {
            let (done, starts) = interrupted(&source, &target, nth).await;
            went_on |= starts.iter().any(|rows| (1..2_300).contains(rows));
            if done {
                break;
            }
            interruptions += 1;
        }
        assert!(interruptions > 2 && went_on, "{interruptions}");
        source.copy_into(&target, &silent).await.unwrap();
        assert_eq!(differing(&source, &target).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_target_that_holds_other_data_is_left_as_it_is() {
    let (_file, source) = site(30).await;
    let eve = user("eve");
    let (file, (_other, other)) = (File::new(), site(20).await);
    let mut targets = vec![file.migrated().await];
    let servers = TestDatabase::of_each().await;
    for server in &servers {
        targets.push(migrated(&server.url).await);
    }
    for target in targets {
        assert!(!target.has_users().await.unwrap());
        // One user, without a trail.
        target.insert_all(std::slice::from_ref(&eve), &[]).await.unwrap();
        assert!(target.has_users().await.unwrap());
        let before = contents(&target).await;
        let error = source.copy_into(&target, &silent).await.unwrap_err();
        assert!(matches!(error, ExportError::Foreign { table: "users" }), "{error:?}");
        assert_eq!(contents(&target).await, before);
        // A whole site.
        target.audit().record(&[any_record()]).await.unwrap();
        assert_eq!(target.audit().audit_ends().await.unwrap().last.number, 1);
        for source in [&source, &other] {
            let error = source.copy_into(&target, &silent).await.unwrap_err();
            assert!(matches!(error, ExportError::Foreign { table: "audit_ends" }), "{error:?}");
        }
    }
    // A copy of this site that has lived on.
    let file = File::new();
    let target = file.migrated().await;
    source.copy_into(&target, &silent).await.unwrap();
    target.users().insert_user(&eve, &any_record()).await.unwrap();
    let error = source.copy_into(&target, &silent).await.unwrap_err();
    assert!(matches!(error, ExportError::Foreign { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_changed_by_hand_in_a_copy_is_found_and_stays_changed() {
    let (_file, source) = site(30).await;
    for on in TestDatabase::of_each().await {
        let target = migrated(&on.url).await;
        source.copy_into(&target, &silent).await.unwrap();
        let by_hand = on.connection().await;
        let one = "(SELECT email FROM (SELECT min(email) AS email FROM users) AS one)";
        for (change, table) in [
            (format!("UPDATE users SET is_active = NOT is_active WHERE email = {one}"), "users"),
            ("UPDATE sessions SET user_agent = '' WHERE user_agent IS NULL".to_owned(), "sessions"),
            ("UPDATE audit_events SET salt = NULL WHERE number = 30".to_owned(), "audit_events"),
            ("UPDATE audit_ends SET cut_number = cut_number - 1".to_owned(), "audit_ends"),
        ] {
            by_hand.execute_unprepared(&change).await.unwrap();
            assert!(differing(&source, &target).await.contains(&table), "{change}");
        }
        by_hand.execute_unprepared("DELETE FROM sessions").await.unwrap();
        let compared = source.compare_with(&target, &silent).await.unwrap();
        let sessions = compared.iter().find(|table| table.table == "sessions").unwrap();
        assert_eq!((sessions.source.rows, sessions.target.rows), (30, 0));
        source.copy_into(&target, &silent).await.unwrap_err();
    }
}

/// Adds a user from another thread, while this one tells how far it is.
fn meanwhile(url: &str, somebody: &User) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let database = SqlStore::connect(url).await.unwrap();
                database.users().insert_user(somebody, &any_record()).await.unwrap();
                database.close().await;
            });
        });
    });
}

#[tokio::test]
async fn what_is_written_while_it_is_copied_is_not_torn_and_shows() {
    let (file, mut home) = site(1_500).await;
    let mut url = format!("sqlite://{}", file.path().display());
    let servers = TestDatabase::of_each().await;
    for on in &servers {
        let target = migrated(&on.url).await;
        let before = contents(&home).await;
        let somebody = user(&format!("late-on-{:?}", on.engine));
        let is_first = AtomicU64::new(0);
        let tell = |progress: ExportProgress| {
            if progress.rows > 0 && is_first.fetch_add(1, Ordering::Relaxed) == 0 {
                meanwhile(&url, &somebody);
            }
        };
        home.copy_into(&target, &tell).await.unwrap();
        assert_eq!(contents(&target).await, before);
        assert_eq!(differing(&home, &target).await, ["users", "audit_events", "audit_ends"]);
        (home, url) = (target, on.url.clone());
    }
}
