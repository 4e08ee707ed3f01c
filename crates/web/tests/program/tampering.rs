//! Tests that the owner of the database file can change the audit trail, but not without a trace.

use countersign_domain::{
    Actor, Aged, AuditEntry, AuthEvent, AuthEventKind, ChainLink, OffsetDateTime, UserId,
};
use countersign_persistence::SqlStore;
use sea_orm::ConnectionTrait;
use time::format_description::well_known::Rfc3339;

use crate::audit::place_with_a_trail;
use crate::support::{EMAIL, PASSWORD, Place};

const FILE: &str = "countersign.db";

impl Place {
    /// Runs statements on the database without the program.
    fn sql(&self, statements: &[&str]) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("sqlite://{}", self.path(FILE).display());
        runtime.block_on(async {
            let database = SqlStore::connect(&url).await.unwrap();
            for statement in statements {
                let done = database.connection().execute_unprepared(statement).await;
                done.map_err(|error| error.to_string())?;
            }
            database.close().await;
            Ok(())
        })
    }

    /// Copies the trail, and changes it as the owner of the file could.
    fn tampered(&self, statements: &[&str]) -> Self {
        let there = Self::new();
        std::fs::copy(self.path(FILE), there.path(FILE)).unwrap();
        let triggers = [
            "audit_events_keep_what_was_written",
            "audit_events_keep_what_is_young",
            "audit_events_keep_young_addresses",
            "audit_events_are_not_replaced",
            "audit_ends_keep_their_row",
        ];
        for trigger in triggers {
            there.sql(&[&format!("DROP TRIGGER IF EXISTS {trigger}")]).unwrap();
        }
        there.sql(statements).unwrap();
        there
    }
}

/// A statement that inserts a copy of a record under the next number.
const APPENDED: &str = "INSERT INTO audit_events (number, id, at, kind, reason, actor, actor_id,
    user_id, session_id, subject, address, user_agent, request_id, salt, client_digest, hash)
    SELECT number + 1, randomblob(16), at, kind, reason, actor, actor_id, user_id, session_id, subject, address,
    user_agent, request_id, salt, client_digest, hash FROM audit_events WHERE number = 6";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn whatever_is_changed_in_the_file_is_found() {
    let place = place_with_a_trail();
    let altered = "record 3 is not what was written";
    let (end, missing) = ("should end with record 6, and ends with", "is missing: the next one");
    for (statement, says) in [
        ("UPDATE audit_events SET kind = 'user_logged_out' WHERE number = 3", altered),
        ("UPDATE audit_events SET reason = 'disabled' WHERE number = 3", altered),
        ("UPDATE audit_events SET actor = 'administrator' WHERE number = 3", altered),
        ("UPDATE audit_events SET actor_id = zeroblob(16) WHERE number = 3", altered),
        ("UPDATE audit_events SET subject = 'session:1' WHERE number = 3", altered),
        ("UPDATE audit_events SET kind = 'nonsense' WHERE number = 3", altered),
        ("UPDATE audit_events SET user_id = NULL WHERE number = 3", altered),
        ("UPDATE audit_events SET session_id = NULL WHERE number = 3", altered),
        ("UPDATE audit_events SET request_id = 'r-1' WHERE number = 3", altered),
        ("UPDATE audit_events SET user_agent = 'Mallory' WHERE number = 3", altered),
        ("UPDATE audit_events SET at = '2020-01-01 00:00:00.000000' WHERE number = 3", altered),
        ("UPDATE audit_events SET address = '10.9.9.9' WHERE number = 3", altered),
        ("UPDATE audit_events SET address = NULL WHERE number = 3", altered),
        ("UPDATE audit_events SET address = '10.9.9.9', salt = NULL WHERE number = 3", altered),
        ("UPDATE audit_events SET address = '127.0.0.2', salt = NULL WHERE number = 3", altered),
        ("UPDATE audit_events SET user_agent = 'M', salt = NULL WHERE number = 3", altered),
        ("UPDATE audit_events SET salt = zeroblob(16) WHERE number = 3", altered),
        ("UPDATE audit_events SET client_digest = zeroblob(32) WHERE number = 3", altered),
        ("UPDATE audit_events SET hash = zeroblob(32) WHERE number = 3", altered),
        (
            "DELETE FROM audit_events WHERE number = 3",
            "record 3 is missing: the next one there is 4",
        ),
        ("UPDATE audit_events SET number = 9 WHERE number = 3", "record 3 is missing"),
        ("UPDATE audit_events SET number = 0 WHERE number = 3", "record 3 is missing"),
        ("DELETE FROM audit_events WHERE number > 4", "should end with record 6, and ends with 4"),
        (
            "DELETE FROM audit_events WHERE number <= 2",
            "record 1 is missing: the next one there is 3",
        ),
        ("DELETE FROM audit_events", "should end with record 6, and ends with 0"),
        (APPENDED, "record 7 is not what was written"),
        ("UPDATE audit_events SET number = 60 WHERE number = 6", "record 6 is missing"),
        ("UPDATE audit_ends SET last_number = 4", "record 4 is not what was written"),
        ("UPDATE audit_ends SET last_number = 0", "and ends with 1"),
        ("UPDATE audit_ends SET last_number = 9", "should end with record 9, and ends with 6"),
        ("UPDATE audit_ends SET last_hash = zeroblob(32)", "record 6 is not what was written"),
        ("UPDATE audit_ends SET removed_number = 2", altered),
        ("UPDATE audit_ends SET removed_hash = zeroblob(31)", "audit_ends"),
        ("DELETE FROM audit_ends", "audit_ends"),
        ("UPDATE audit_events SET kind = 'No word' WHERE number = 3", "kind"),
        ("UPDATE audit_events SET address = 'nowhere' WHERE number = 3", "address"),
        ("UPDATE audit_events SET hash = x'00' WHERE number = 3", "hash"),
    ] {
        let done = place.tampered(&[statement]).run(&["audit", "verify"]);
        assert!(done.fails().contains(says), "{statement}: {done:?}");
        let broken = [altered, end, missing].iter().any(|says| done.stderr.contains(says));
        assert!(!broken || done.stderr.contains("the audit trail is broken"), "{done:?}");
        let done = place.tampered(&[statement]).run(&["audit", "verify", "--json"]);
        done.fails();
    }
    place.tampered(&[]).run(&["audit", "verify"]).works();
    // An address is shortened by the service alone, which says so in the trail.
    let cut = "UPDATE audit_events SET address = '127.0.0.0', salt = NULL WHERE number = 3";
    let done = place.tampered(&[cut]).run(&["audit", "verify"]);
    assert!(done.fails().contains("the address of record 3 is shortened"), "{done:?}");
}

#[test]
fn a_trail_that_lost_its_beginning_is_found() {
    let place = place_with_a_trail();
    let noted = place.end_of_trail();
    for (removed, left) in [(2, 4), (6, 0)] {
        let beheaded = place.tampered(&[
            &format!(
                "UPDATE audit_ends SET removed_number = {removed},
                    removed_hash = (SELECT hash FROM audit_events WHERE number = {removed})"
            ),
            &format!("DELETE FROM audit_events WHERE number <= {removed}"),
        ]);
        let says = format!("the records up to {removed} are gone");
        for args in [&["audit", "verify"][..], &["audit", "verify", "--noted", &noted]] {
            let done = beheaded.run(args);
            let is_noted = left == 0 && args.len() > 2;
            let says = if is_noted { "record 6 is missing" } else { &says };
            assert!(done.fails().contains(says), "{done:?}");
        }
    }
}

// Anybody who reads the source can write that it was old. Whoever noted a place knows better.
#[test]
fn a_beginning_that_was_only_said_to_be_old_is_found() {
    let place = place_with_a_trail();
    let noted = place.end_of_trail();
    let last = &place.trail(&["--limit", "1"])[0];
    let number_of = |end: &str| end.split(':').next().unwrap().parse::<u64>().unwrap();
    let hash = ChainLink::parse_hash(last["hash"].as_str().unwrap()).unwrap();
    let link = ChainLink { number: number_of(&noted), hash };
    let at = OffsetDateTime::parse(last["at"].as_str().unwrap(), &Rfc3339).unwrap();
    for (kept, claimed, plain) in [
        (400, 401, None),
        (400, 399, Some("record 7 says that records were removed or shortened before their time")),
        (1, 2, Some("record 7 says that records were removed or shortened before their time")),
    ] {
        let (kept, claimed) = (time::Duration::days(kept), time::Duration::days(claimed));
        let aged = Aged { up_to: link, youngest: at - claimed, kept };
        let mut event = AuthEvent::new(AuthEventKind::AuditRemoved, Actor::SERVICE, at);
        event.subject = Some(aged.subject());
        let forged = AuditEntry { event, salt: [0; 16] }.record_after(link);
        let (digest, hash) = (hex(&forged.client_digest), hex(&forged.link.hash));
        let subject = aged.subject();
        let insertion = format!(
            "INSERT INTO audit_events (number, id, at, kind, actor, subject, salt, client_digest, hash)
             SELECT 7, randomblob(16), at, 'audit_removed', 'service', '{subject}', zeroblob(16),
             x'{digest}', x'{hash}' FROM audit_events WHERE number = 6"
        );
        let moved = format!(
            "UPDATE audit_ends SET last_number = 7, last_hash = x'{hash}', removed_number = 6,
             removed_hash = x'{}'",
            hex(&link.hash)
        );
        let there =
            place.tampered(&[&insertion, "DELETE FROM audit_events WHERE number < 7", &moved]);
        let done = there.run(&["audit", "verify"]);
        match plain {
            None => assert!(done.works().contains("whole: 1 record"), "{done:?}"),
            Some(says) => assert!(done.fails().contains(says), "{done:?}"),
        }
        let done = there.run(&["audit", "verify", "--noted", &noted]);
        assert!(done.fails().contains("record 6 is missing"), "{done:?}");
    }
}

// Anybody who reads the source can compute a valid record for the chain.
#[test]
fn a_record_that_was_appended_by_somebody_else_is_found() {
    let place = place_with_a_trail();
    let noted = place.end_of_trail();
    let last = &place.trail(&["--limit", "1"])[0];
    let hash = ChainLink::parse_hash(noted.split(':').nth(1).unwrap()).unwrap();
    let at = OffsetDateTime::parse(last["at"].as_str().unwrap(), &Rfc3339).unwrap();
    let mut event = AuthEvent::new(AuthEventKind::UserEnabled, Actor::COMMAND_LINE, at);
    event.user = UserId::parse(last["user_id"].as_str().unwrap());
    let link = ChainLink { number: 6, hash };
    let forged = AuditEntry { event, salt: [0; 16] }.record_after(link);
    let (digest, hash) = (hex(&forged.client_digest), hex(&forged.link.hash));
    let rest = format!("zeroblob(16), x'{digest}', x'{hash}' FROM");
    let statement = APPENDED.replace("salt, client_digest, hash FROM", &rest);
    let done = place.tampered(&[&statement]).run(&["audit", "verify"]);
    assert!(done.fails().contains("should end with record 6, and ends with 7"), "{done:?}");
    // With the end changed as well, the trail is valid: records after the noted end cannot be checked.
    let moved = format!("UPDATE audit_ends SET last_number = 7, last_hash = x'{hash}'");
    let extended = place.tampered(&[&statement, &moved]);
    extended.run(&["audit", "verify", "--noted", &noted]).works();
}

#[test]
fn records_that_change_places_are_found() {
    let place = place_with_a_trail();
    let swapped = place.tampered(&[
        "UPDATE audit_events SET number = 99 WHERE number = 2",
        "UPDATE audit_events SET number = 2 WHERE number = 3",
        "UPDATE audit_events SET number = 3 WHERE number = 99",
    ]);
    let done = swapped.run(&["audit", "verify"]);
    assert!(done.fails().contains("record 2 is not what was written"), "{done:?}");
    let closed_up = place.tampered(&[
        "DELETE FROM audit_events WHERE number = 3",
        "UPDATE audit_events SET number = number - 1 WHERE number = 4",
        "UPDATE audit_events SET number = number - 1 WHERE number = 5",
        "UPDATE audit_events SET number = number - 1 WHERE number = 6",
        "UPDATE audit_ends SET last_number = 5",
    ]);
    let done = closed_up.run(&["audit", "verify"]);
    assert!(done.fails().contains("record 3 is not what was written"), "{done:?}");
}

#[test]
fn a_trail_that_was_made_anew_is_found_by_what_was_noted() {
    let place = place_with_a_trail();
    let noted = place.end_of_trail();
    let finds = |there: &Place, says: &str| {
        there.run(&["audit", "verify"]).works();
        let done = there.run(&["audit", "verify", "--noted", &noted]);
        assert!(done.fails().contains(says), "{done:?}");
    };
    let shortened = place.tampered(&[
        "UPDATE audit_ends SET last_number = 4,
            last_hash = (SELECT hash FROM audit_events WHERE number = 4)",
        "DELETE FROM audit_events WHERE number > 4",
    ]);
    finds(&shortened, "should end with record 6, and ends with 4");
    shortened.create("bob@example.org", PASSWORD);
    shortened.create("eve@example.org", PASSWORD);
    finds(&shortened, "record 6 is not what was written");
    finds(&place_with_a_trail(), "record 6 is not what was written");
}

#[test]
fn the_database_refuses_what_the_trail_is_never_asked_for() {
    let place = place_with_a_trail();
    let replaced = APPENDED.replace("INSERT", "INSERT OR REPLACE").replace("number + 1", "number");
    for statement in [
        "UPDATE audit_events SET kind = 'user_logged_out' WHERE number = 3",
        "UPDATE audit_events SET kind = kind",
        "UPDATE audit_events SET number = 9 WHERE number = 3",
        "UPDATE OR REPLACE audit_events SET number = 4 WHERE number = 3",
        "UPDATE audit_events SET user_agent = NULL",
        "UPDATE audit_events SET hash = zeroblob(32)",
        "DELETE FROM audit_events WHERE number = 3",
        "DELETE FROM audit_events",
        "DELETE FROM audit_ends",
        "UPDATE audit_events SET address = NULL, salt = NULL WHERE number = 3",
        "UPDATE audit_events SET salt = zeroblob(16) WHERE number = 3",
        &*replaced,
    ] {
        let refused = place.sql(&[statement]).unwrap_err();
        assert!(refused.contains("the audit trail is append-only"), "{statement}: {refused}");
    }
    // What is young stays, also for those who say that it was removed.
    let said = "UPDATE audit_ends SET removed_number = 6";
    place.sql(&[said, "DELETE FROM audit_events WHERE number = 3"]).unwrap_err();
    place.sql(&["UPDATE audit_ends SET removed_number = 0"]).unwrap();
    assert!(place.end_of_trail().starts_with("6:"));
    // Deleting the account does not delete its records.
    place.run(&["user", "delete", EMAIL, "--yes"]).works();
    assert!(place.end_of_trail().starts_with("7:"));
}
