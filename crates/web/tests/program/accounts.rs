//! Tests of managing accounts and sessions on the command line.

use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Place};

/// Reads the session from the database for every request.
const ALWAYS_ASKED: (&str, &str) = ("COUNTERSIGN_SESSION__MAX_STALENESS", "0s");

#[test]
fn an_account_is_made_shown_and_listed() {
    let place = Place::new();
    place.migrate();
    let args = ["user", "create", EMAIL, "--username", "Ada", "--password-stdin", "--json"];
    let made = place.run_with(&[], &args, &format!("{PASSWORD}\nmore\n")).json();
    assert_eq!((&made["email"], &made["username"]), (&EMAIL.into(), &"Ada".into()));
    let shown = place.run(&["user", "show", EMAIL, "--json"]).json();
    assert_eq!(shown, made);
    // The address is found in any spelling, and also as an option.
    assert_eq!(place.run(&["user", "show", "--email", "ADA@Example.ORG", "--json"]).json(), made);
    place.create("bob@example.org", OTHER_PASSWORD);
    let all = place.run(&["user", "list", "--json"]).json();
    let emails: Vec<_> = all.as_array().unwrap().iter().map(|user| &user["email"]).collect();
    assert_eq!(emails, [EMAIL, "bob@example.org"]);
    let id = made["id"].as_str().unwrap();
    for args in [&["user", "list"][..], &["user", "show", EMAIL]] {
        let done = place.run(args);
        assert!(done.works().contains(id) && done.stdout.contains(EMAIL), "{done:?}");
        assert!(!done.stdout.contains("argon2"), "{done:?}");
    }
    assert!(!all.to_string().contains("argon2"));
}

#[test]
fn an_account_without_a_name_is_called_by_the_part_before_the_at() {
    let place = Place::new();
    place.migrate();
    let args = ["user", "create", "grace.h@example.org", "--password-stdin", "--json"];
    let made = place.run_with(&[], &args, PASSWORD).json();
    assert_eq!(made["username"], "grace.h");
}

#[test]
fn an_account_that_is_not_acceptable_is_refused_in_one_line() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    for (email, password, says) in [
        ("ada", PASSWORD, "email"),
        ("bob@example.org", "short", "at least 15"),
        ("bob@example.org", "", "password"),
        ("bob@example.org", "tidal\0lantern orbit", "not text"),
        (EMAIL, PASSWORD, "taken"),
        ("ADA@EXAMPLE.ORG", PASSWORD, "taken"),
    ] {
        let done = place.run_with(&[], &["user", "create", email, "--password-stdin"], password);
        assert!(done.fails().contains(says), "{done:?}");
        assert!(password.is_empty() || !done.stderr.contains(password), "{done:?}");
    }
    assert_eq!(place.run(&["user", "list", "--json"]).json().as_array().unwrap().len(), 1);
}

#[test]
fn what_is_wrong_is_said_before_a_password_is_asked_for() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    for (args, says) in [
        (&["ada"][..], "email: \"ada\""),
        (&[""], "email: \"\""),
        (&[EMAIL], "taken"),
        (&["ADA@Example.Org"], "taken"),
        (&["bob@example.org", "--username", ""], "username: \"\""),
    ] {
        // There is no terminal on which it could ask.
        let done = place.run(&[&["user", "create"], args].concat());
        assert!(done.fails().contains(says), "{done:?}");
        assert!(!done.stderr.contains("Password"), "{done:?}");
    }
    let asked = place.run(&["user", "create", "bob@example.org"]);
    assert!(asked.fails().contains("--password-stdin"), "{asked:?}");
}

#[test]
fn an_account_gets_another_address_and_another_name() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    place.create("bob@example.org", PASSWORD);
    let server = place.serve(&[ALWAYS_ASKED]);
    let mut ada = server.member(EMAIL, PASSWORD);
    let new = "Lovelace@example.org";
    assert!(place.run(&["user", "set-email", EMAIL, new]).works().contains(new));
    place.run(&["user", "set-username", new, "Lady Lovelace"]).works();
    ada.get("/blogs").is(200).shows("Hi Lady Lovelace");
    server.browser().log_in(EMAIL, PASSWORD).is(401);
    server.member("lovelace@example.org", PASSWORD);
    let shown = place.run(&["user", "show", new, "--json"]).json();
    assert_eq!((&shown["email"], &shown["username"]), (&new.into(), &"Lady Lovelace".into()));
    for (args, says) in [
        (&["set-email", new, "BOB@example.org"][..], "BOB@example.org is taken"),
        (&["set-email", new, "ada"], "email: \"ada\""),
        (&["set-email", EMAIL, "x@example.org"], EMAIL),
        (&["set-username", new, ""], "username: \"\""),
        (&["set-username", EMAIL, "Ada"], EMAIL),
    ] {
        let done = place.run(&[&["user"], args].concat());
        assert!(done.fails().contains(says), "{done:?}");
    }
    assert_eq!(place.run(&["user", "set-email", new]).code, Some(2));
    let trail = place.run(&["audit", "list", "--user", new, "--json"]).json();
    let kinds: Vec<_> = trail.as_array().unwrap().iter().map(|r| r["kind"].as_str()).collect();
    let renamed = [Some("email_changed"), Some("username_changed")];
    assert!(kinds.windows(2).any(|two| two == renamed), "{kinds:?}");
}

#[test]
fn a_weak_password_is_set_with_a_note() {
    let place = Place::new();
    place.migrate();
    for args in [
        &["user", "create", EMAIL, "--password-stdin", "--json"][..],
        &["user", "set-password", EMAIL, "--password-stdin"],
    ] {
        let done = place.run_with(&[], args, "london london 2026");
        assert!(!done.works().contains("guess"), "{done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
        assert!(done.stderr.starts_with("note: This password is acceptable, but"), "{done:?}");
    }
    let done = place.run_with(&[], &["user", "set-password", EMAIL, "--password-stdin"], PASSWORD);
    assert_eq!((done.works().lines().count(), done.stderr.as_str()), (1, ""));
}

#[test]
fn whoever_is_not_there_is_named() {
    let place = Place::new();
    place.migrate();
    for args in [
        &["user", "show", EMAIL][..],
        &["user", "disable", EMAIL],
        &["user", "enable", EMAIL],
        &["user", "delete", EMAIL, "--yes"],
        &["user", "set-password", EMAIL, "--password-stdin"],
        &["session", "list", EMAIL],
        &["session", "revoke", "--user", EMAIL, "--all"],
    ] {
        let done = place.run_with(&[], args, PASSWORD);
        assert!(done.fails().contains(EMAIL), "{done:?}");
    }
    let done = place.run(&["user", "show", "ada"]);
    assert!(done.fails().contains("\"ada\""), "{done:?}");
}

#[test]
fn a_running_server_sees_at_once_what_is_done_to_an_account() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[ALWAYS_ASKED]);
    let mut ada = server.member(EMAIL, PASSWORD);

    place.run(&["user", "disable", EMAIL]).works();
    ada.get("/blogs").is(303);
    server.browser().log_in(EMAIL, PASSWORD).is(401);
    assert_eq!(place.run(&["user", "show", EMAIL, "--json"]).json()["is_active"], false);

    place.run(&["user", "enable", EMAIL]).works();
    ada.get("/blogs").is(303);
    let mut ada = server.member(EMAIL, PASSWORD);

    let args = ["user", "set-password", EMAIL, "--password-stdin"];
    place.run_with(&[], &args, OTHER_PASSWORD).works();
    ada.get("/blogs").is(303);
    server.browser().log_in(EMAIL, PASSWORD).is(401);
    let mut ada = server.member(EMAIL, OTHER_PASSWORD);
    assert!(place.run_with(&[], &args, "short").fails().contains("at least 15"));
    ada.get("/blogs").is(200);

    place.run(&["user", "delete", EMAIL, "--yes"]).works();
    ada.get("/blogs").is(303);
    server.browser().log_in(EMAIL, OTHER_PASSWORD).is(401);
    assert_eq!(place.run(&["user", "list", "--json"]).json(), serde_json::json!([]));
}

#[test]
fn a_running_server_sees_within_a_second_that_a_session_was_revoked() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[]);
    let mut ada = server.member(EMAIL, PASSWORD);
    ada.get("/blogs").is(200);
    place.run(&["session", "revoke", "--user", EMAIL, "--all"]).works();
    std::thread::sleep(std::time::Duration::from_secs(1));
    ada.get("/blogs").is(303);
}

#[test]
fn sessions_are_listed_and_ended() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    place.create("bob@example.org", PASSWORD);
    let server = place.serve(&[ALWAYS_ASKED]);
    let mut here = server.member(EMAIL, PASSWORD);
    let mut there = server.member(EMAIL, PASSWORD);
    let mut bob = server.member("bob@example.org", PASSWORD);
    let sessions = || place.run(&["session", "list", "--user", EMAIL, "--json"]).json();
    let listed = sessions();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2);
    for session in listed {
        assert_eq!(session["address"], "127.0.0.1", "{session}");
        for moment in ["created_at", "last_seen_at", "expires_at"] {
            assert!(session[moment].as_str().unwrap().ends_with('Z'), "{session}");
        }
        assert!(!session.to_string().contains(&here.token()));
    }
    // The newest session is listed first.
    let id = listed[0]["id"].as_str().unwrap();
    let table = place.run(&["session", "list", EMAIL]);
    assert!(table.works().contains(id), "{table:?}");

    // A session is not ended if the user does not match.
    let other = place.run(&["session", "revoke", "--user", "bob@example.org", id]);
    assert!(other.fails().contains(id), "{other:?}");
    there.get("/blogs").is(200);

    place.run(&["session", "revoke", "--user", EMAIL, id]).works();
    there.get("/blogs").is(303);
    here.get("/blogs").is(200);
    assert!(place.run(&["session", "revoke", "--user", EMAIL, id]).fails().contains(id));

    let all = place.run(&["session", "revoke", "--user", EMAIL, "--all"]);
    assert!(all.works().contains('1'), "{all:?}");
    here.get("/blogs").is(303);
    assert_eq!(sessions(), serde_json::json!([]));
    bob.get("/blogs").is(200);
}

#[test]
fn a_password_is_never_an_argument() {
    let place = Place::new();
    for args in [
        &["user", "create", EMAIL, "--password", PASSWORD][..],
        &["user", "create", EMAIL, PASSWORD],
        &["user", "set-password", EMAIL, "--password", PASSWORD],
    ] {
        assert_eq!(place.run(args).code, Some(2), "{args:?}");
    }
}
