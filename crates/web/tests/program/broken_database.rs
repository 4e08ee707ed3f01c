//! Tests that a database that cannot be used is refused, with one line that says what to fix.

use sea_orm::ConnectionTrait;
use url::Url;

use crate::broken_configuration::{check, missing};
use crate::server::{Engine, TestDatabase};
use crate::support::Place;

#[test]
fn a_database_that_cannot_be_used_is_named_with_the_reason() {
    let place = Place::new();
    place.write(
        "text.db",
        "This is no database, but a text that somebody has put here.\n".repeat(99),
    );
    place.write("folder.db/x", "");
    for (url, says) in [
        ("sqlite://missing/site.db?mode=rwc", &["missing", "directory"][..]),
        ("sqlite://missing.db", &["missing.db", "mode=rwc"]),
        ("sqlite://folder.db", &["folder.db", "directory"]),
        ("sqlite://text.db", &["text.db", "not an SQLite database"]),
        ("sqlite://", &["sqlite://PATH"]),
        ("sqlite://site.db?mode=memory", &["mode=rwc"]),
        ("oracle://db.example/site", &["oracle://db.example/site", "sqlite://PATH"]),
        ("mysql://127.0.0.1:1/site", &["mysql://127.0.0.1:1/site", "no server listens"]),
        ("nonsense", &["sqlite://PATH"]),
    ] {
        // `serve` would wait for a server that cannot be reached; `failures::start` tests that.
        let serve = (!says.contains(&"no server listens")).then_some(&["serve"][..]);
        for args in [&["user", "list"][..], &["migrate", "up"]].into_iter().chain(serve) {
            let done = place.run_with(&[("DATABASE_URL", url), ("ROCKET_PORT", "0")], args, "");
            // Where no file would be made anyway, how to have it made is no help.
            let is_found = args == ["user", "list"] && url == "sqlite://missing.db";
            check(&done, if is_found { &["missing.db", "no file"] } else { says });
        }
    }
}

#[test]
fn what_is_only_not_there_yet_is_a_note() {
    let place = Place::new();
    for url in ["sqlite://later.db", "postgres://127.0.0.1:1/site", "mysql://127.0.0.1:1/site"] {
        let done = place.run_with(&[("DATABASE_URL", url)], &["config", "check"], "");
        assert!(done.works().contains("valid"), "{done:?}");
        assert!(done.stderr.starts_with("note: the database could not be checked"), "{done:?}");
    }
    assert!(!place.path("later.db").exists());
    let whole = place.run(&["config", "check"]);
    assert_eq!((whole.works(), whole.stderr.as_str()), ("The configuration is valid.\n", ""));
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_name_is_refused() {
    let Some(server) = TestDatabase::new(Engine::Postgres).await else { return };
    let connection = server.connection().await;
    for encoding in ["LATIN1", "SQL_ASCII", "UTF8"] {
        let name = format!("{}_{}", server.name(), encoding.to_lowercase());
        let make = format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        );
        connection.execute_unprepared(&make).await.unwrap();
        let mut url: Url = server.url.parse().unwrap();
        url.set_path(&name);
        url.set_query(None);
        let place = Place::new();
        let env = [("DATABASE_URL", url.as_str()), ("ROCKET_PORT", "0")];
        let refused = |args: &[&str]| {
            let says = [encoding, "cannot hold every name", "ENCODING 'UTF8'"];
            missing(&place.run_with(&env, args, ""), &says)
        };
        if encoding == "UTF8" {
            place.run_with(&env, &["config", "check"], "").works();
            place.run_with(&env, &["migrate", "up"], "").works();
        } else {
            for args in
                [&["serve"][..], &["config", "check"], &["migrate", "up"], &["user", "list"]]
            {
                assert_eq!(refused(args), [""; 0], "{args:?}");
            }
        }
        connection.execute_unprepared(&format!("DROP DATABASE {name}")).await.unwrap();
    }
}

#[test]
fn a_database_that_was_damaged_does_not_serve() {
    let place = Place::new();
    // When the program ends, all data is in the one file.
    assert_eq!(place.serve(&[]).end("TERM").0, Some(0));
    let path = place.path("countersign.db");
    assert!(!place.path("countersign.db-wal").exists());
    let mut bytes = std::fs::read(&path).unwrap();
    // The header stays, and the rest becomes noise.
    for (n, byte) in bytes.iter_mut().enumerate().skip(100) {
        *byte = (n % 251) as u8;
    }
    std::fs::write(&path, bytes).unwrap();
    let done = place.run_with(&[("ROCKET_PORT", "0")], &["serve"], "");
    check(&done, &["countersign.db"]);
}
