//! A database in a file: what it keeps, whom it lets in, and what it says of a damaged row.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::os::unix::fs::PermissionsExt;

use countersign_domain::SessionGrant;
use countersign_domain::contract::any_record;
use countersign_domain::{Store, StoreError};
use sea_orm::ConnectionTrait;
use support::{File, START, hash, session, user};
use time::Duration;

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let file = File::new();
    let (ada, (session, token)) = (user("ada"), session(&user("ada"), START));
    let database = file.migrated().await;
    database.users().insert_user(&ada, &any_record()).await.unwrap();
    let changed =
        database.users().replace_password(ada.id, &hash("new"), None, &any_record()).await;
    assert!(changed.unwrap());
    let mut session = session;
    session.user_id = ada.id;
    let grant = SessionGrant {
        session: &session,
        token: &token,
        proof: None,
        remember: None,
        max_per_user: 9,
    };
    assert!(database.sessions().insert_session(grant, &any_record()).await.unwrap());

    // Another one may be open while the first still is, or was forgotten.
    let second = file.open().await;
    database.close().await;
    for database in [second, file.open().await] {
        let (found, owner) = database.sessions().session_by_token(&token).await.unwrap().unwrap();
        assert_eq!((found, owner.password_hash), (session.clone(), Some(hash("new"))));
    }
}

#[tokio::test]
async fn a_closed_database_is_one_file_and_unavailable() {
    let file = File::new();
    let database = file.migrated().await;
    database.users().insert_user(&user("ada"), &any_record()).await.unwrap();
    database.ready().await.unwrap();
    let clone = database.clone();
    database.close().await;
    let left = std::fs::read_dir(file.path().parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "the write-ahead log is folded in");
    assert!(matches!(clone.ready().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(
        clone.users().insert_user(&user("bob"), &any_record()).await,
        Err(StoreError::Unavailable(_))
    ));
}

#[tokio::test]
async fn a_new_file_and_what_lies_next_to_it_are_for_their_owner_alone() {
    let file = File::new();
    let database = file.migrated().await;
    database.users().insert_user(&user("ada"), &any_record()).await.unwrap();
    for entry in std::fs::read_dir(file.path().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn the_mode_of_an_existing_file_is_left_alone() {
    let file = File::new();
    std::fs::write(file.path(), "").unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    file.migrated().await;
    assert_eq!(file.path().metadata().unwrap().permissions().mode() & 0o777, 0o640);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_programs_open_migrate_and_write_one_new_file_at_once() {
    let file = File::new();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let file = file.clone();
            tokio::spawn(async move { file.migrated().await })
        })
        .collect();
    let mut databases = Vec::new();
    for open in opening {
        databases.push(open.await.unwrap());
    }
    let (first, second) = (databases[0].clone(), databases[1].clone());
    let writing = [("first", first), ("second", second)].map(|(name, database)| {
        tokio::spawn(async move {
            for n in 0..50 {
                let ada = user(&format!("{name}-{n}"));
                database.users().insert_user(&ada, &any_record()).await.unwrap();
                let (session, token) = session(&ada, START);
                let (session, token) = (&session, &token);
                let grant =
                    SessionGrant { session, token, proof: None, remember: None, max_per_user: 3 };
                assert!(database.sessions().insert_session(grant, &any_record()).await.unwrap());
                database
                    .sessions()
                    .touch_sessions(&[(session.id, START + Duration::MINUTE)])
                    .await
                    .unwrap();
                database
                    .users()
                    .replace_password(ada.id, &hash("new"), None, &any_record())
                    .await
                    .unwrap();
            }
        })
    });
    for done in writing {
        done.await.unwrap();
    }
    assert_eq!(file.open().await.users().list_users(None, 1_000).await.unwrap().len(), 100);
}

#[tokio::test]
async fn a_database_without_its_schema_is_not_ready() {
    let file = File::new();
    let database = file.open().await;
    assert!(matches!(database.ready().await, Err(StoreError::Unavailable(_))));
    countersign_migration::up(database.connection()).await.unwrap();
    database.ready().await.unwrap();
    countersign_migration::down(database.connection(), 1).await.unwrap();
    assert!(matches!(database.ready().await, Err(StoreError::Unavailable(_))));
    countersign_migration::up(database.connection()).await.unwrap();
    let rename = "ALTER TABLE users RENAME COLUMN username TO nickname";
    database.connection().execute_unprepared(rename).await.unwrap();
    assert!(matches!(database.ready().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_damaged_value_is_named_by_table_and_column() {
    for (table, column, value) in [
        ("users", "email", "'nobody'"),
        ("users", "username", "''"),
        ("users", "is_active", "'perhaps'"),
        ("users", "password_hash", "x'00'"),
        ("users", "created_at", "'yesterday'"),
        ("users", "updated_at", "x'00'"),
        ("sessions", "address", "'localhost'"),
        ("sessions", "created_at", "'yesterday'"),
        ("sessions", "authenticated_at", "'2026-13-01 00:00:00'"),
        ("sessions", "last_seen_at", "''"),
        ("sessions", "expires_at", "1.5"),
        ("sessions", "user_agent", "x'00'"),
        ("sessions", "id", "'not an id'"),
        ("sessions", "remembered_id", "x'00'"),
    ] {
        let file = File::new();
        let database = file.migrated().await;
        let ada = user("ada");
        database.users().insert_user(&ada, &any_record()).await.unwrap();
        let (session, token) = session(&ada, START);
        let grant = SessionGrant {
            session: &session,
            token: &token,
            proof: None,
            remember: None,
            max_per_user: 9,
        };
        database.sessions().insert_session(grant, &any_record()).await.unwrap();
        let damage = format!("PRAGMA foreign_keys = OFF; UPDATE {table} SET {column} = {value}");
        database.connection().execute_unprepared(&damage).await.unwrap();

        let joined = database.sessions().session_by_token(&token).await.unwrap_err();
        let alone = match table {
            "users" => database.users().user_by_id(ada.id).await.unwrap_err(),
            _ => database.sessions().sessions_of(ada.id).await.unwrap_err(),
        };
        for error in [joined, alone] {
            assert_eq!(error.to_string(), format!("the store holds a corrupt {column} in {table}"));
            let StoreError::Corrupt { source, .. } = error else { panic!("{error:?}") };
            assert!(!source.to_string().is_empty());
        }
    }
}

#[tokio::test]
async fn a_user_whose_id_is_taken_is_not_one_whose_address_is() {
    let file = File::new();
    let database = file.migrated().await;
    let ada = user("ada");
    database.users().insert_user(&ada, &any_record()).await.unwrap();
    let mut twin = user("bob");
    twin.id = ada.id;
    let error = database.users().insert_user(&twin, &any_record()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn moments_keep_their_order_whatever_their_fractions_and_offsets() {
    let file = File::new();
    let database = file.migrated().await;
    let ada = user("ada");
    database.users().insert_user(&ada, &any_record()).await.unwrap();
    let micros = [-1_000_000, -1, 0, 1, 9, 10, 99_999, 100_000, 500_000, 999_999, 1_000_000];
    let moments = micros.map(|n| START + Duration::microseconds(n));
    let east = time::UtcOffset::from_hms(9, 0, 0).unwrap();
    for at in moments {
        let (session, token) = session(&ada, at.to_offset(east));
        let (session, token) = (&session, &token);
        let grant = SessionGrant { session, token, proof: None, remember: None, max_per_user: 99 };
        assert!(database.sessions().insert_session(grant, &any_record()).await.unwrap());
    }
    let kept = database.sessions().sessions_of(ada.id).await.unwrap();
    let kept: Vec<_> = kept.iter().rev().map(|session| session.created_at).collect();
    assert_eq!(kept, moments);
    for (n, now) in moments.into_iter().enumerate() {
        // A session that expires at this moment has not expired before it.
        let ended = database
            .sessions()
            .purge_sessions(now + Duration::HOUR, START - Duration::DAY, 99)
            .await;
        assert_eq!(ended.unwrap(), u64::from(n > 0), "{now}");
    }
}

#[tokio::test]
async fn a_change_given_up_half_way_leaves_the_writer_free() {
    let file = File::new();
    let database = file.migrated().await;
    let ada = user("ada");
    database.users().insert_user(&ada, &any_record()).await.unwrap();
    for _ in 0..50 {
        let new = hash("new");
        let entry = any_record();
        let change = database.users().replace_password(ada.id, &new, None, &entry);
        tokio::time::timeout(std::time::Duration::from_micros(200), change).await.ok();
    }
    database.users().set_active(ada.id, false, &any_record()).await.unwrap();
    assert!(!database.users().user_by_id(ada.id).await.unwrap().unwrap().is_active);
}
