//! Tests that nothing is destroyed without a yes, and that no database is made by the way.

use crate::server::TestDatabase;
use crate::support::{EMAIL, PASSWORD, Place};

/// Every verb that uses a database but makes none.
const NEITHER: &[&[&str]] = &[
    &["migrate", "status"],
    &["migrate", "down", "--yes"],
    &["user", "create", EMAIL, "--password-stdin"],
    &["user", "list"],
    &["user", "list", "--json"],
    &["user", "show", EMAIL],
    &["user", "set-password", EMAIL, "--password-stdin"],
    &["user", "set-email", EMAIL, "ada@example.com"],
    &["user", "set-username", EMAIL, "Ada"],
    &["user", "disable", EMAIL],
    &["user", "enable", EMAIL],
    &["user", "delete", EMAIL, "--yes"],
    &["session", "list", EMAIL],
    &["session", "revoke", "--user", EMAIL, "--all"],
    &["audit", "list"],
    &["audit", "verify"],
    &["export", "--to", "sqlite://copy.db?mode=rwc"],
    &["config", "check"],
    &["config", "show"],
];

fn a_member() -> Place {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    place
}

#[test]
fn a_script_destroys_only_with_a_yes_on_its_command_line() {
    let place = a_member();
    for args in [&["user", "delete", EMAIL][..], &["migrate", "down"], &["migrate", "down", "1"]] {
        for piped in ["", "n\n", "y\n", "yes\n"] {
            let done = place.run_with(&[], args, piped);
            assert!(done.misused().contains("add --yes"), "{args:?} {piped:?}: {done:?}");
        }
    }
    place.run(&["user", "show", EMAIL]).works();
    assert!(!place.run(&["migrate", "status"]).works().contains("pending "));
    place.run(&["user", "delete", EMAIL, "--yes"]).works();
    place.run(&["migrate", "down", "--yes"]).works();
    assert!(place.run(&["migrate", "status"]).works().contains("pending "));
}

#[cfg(unix)]
#[test]
fn on_a_terminal_only_a_yes_destroys_and_anything_else_is_a_failure() {
    let place = a_member();
    for typed in ["n\n", "\n", "what\n", "no\n"] {
        for (args, question) in [
            (&["user", "delete", EMAIL][..], "Delete ada@example.org and all of their data? [y/N]"),
            (&["migrate", "down", "2"], "and lose the data that they hold? [y/N]"),
        ] {
            let done = place.on_terminal(args, typed);
            assert_eq!(done.code, Some(1), "{args:?} {typed:?}: {done:?}");
            assert!(done.stdout.contains(question), "{done:?}");
            assert!(done.stdout.contains("nothing was changed"), "{done:?}");
        }
    }
    place.run(&["user", "show", EMAIL]).works();
    assert!(!place.run(&["migrate", "status"]).works().contains("pending "));
    assert_eq!(place.on_terminal(&["user", "delete", EMAIL], "y\n").code, Some(0));
    assert_eq!(place.run(&["user", "list", "--json"]).json(), serde_json::json!([]));
    let down = place.on_terminal(&["migrate", "down"], "yes\n");
    assert!(down.code == Some(0) && down.stdout.contains("reverted m"), "{down:?}");
}

#[test]
fn more_migrations_than_there_are_are_not_reverted() {
    let place = a_member();
    for steps in ["99", "4294967295"] {
        let done = place.run(&["migrate", "down", steps, "--yes"]);
        assert!(done.fails().contains("nothing was reverted"), "{done:?}");
        assert!(done.fails().starts_with(&format!("cannot revert {steps} migrations")), "{done:?}");
    }
    place.run(&["user", "show", EMAIL]).works();
}

#[test]
fn only_serving_and_migrating_up_make_a_database() {
    for args in NEITHER {
        let place = Place::new();
        let done = place.run_with(&[], args, PASSWORD);
        if args[0] == "config" {
            done.works();
        } else {
            assert!(done.fails().contains("there is no file"), "{args:?}: {done:?}");
            assert!(done.stderr.contains("countersign.db; only `serve`"), "{args:?}: {done:?}");
        }
        for name in ["countersign.db", "countersign.db-wal", "countersign.db-shm", "copy.db"] {
            assert!(!place.path(name).exists(), "{args:?} made {name}");
        }
    }
    let place = Place::new();
    place.run(&["migrate", "up"]).works();
    assert!(place.path("countersign.db").is_file());
    let place = Place::new();
    assert_eq!(place.serve(&[]).end("TERM").0, Some(0));
    assert!(place.path("countersign.db").is_file());
}

#[tokio::test]
async fn a_database_without_a_site_answers_no_question_and_stays_as_it_is() {
    let place = Place::new();
    place.write("empty.db", "");
    let mut urls = vec!["sqlite://empty.db".to_owned()];
    let servers = TestDatabase::of_each().await;
    urls.extend(servers.iter().map(|server| server.url.clone()));
    for url in &urls {
        let env = [("COUNTERSIGN_DATABASE_URL", url.as_str())];
        for args in NEITHER.iter().filter(|args| !matches!(args[0], "migrate" | "config")) {
            let done = place.run_with(&env, args, PASSWORD);
            assert!(done.fails().contains("holds no site"), "{url} {args:?}: {done:?}");
        }
        let status = place.run_with(&env, &["migrate", "status"], "");
        assert!(!status.works().contains("applied "), "{status:?}");
    }
}
