//! Tests of the audit trail on the command line, and of the removal of old records.

use serde_json::Value;

use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Place};

/// Makes a trail with the records 1 registered, 2 failed, 3 logged in, 4 logged out, 5 disabled, 6 enabled.
pub(crate) fn place_with_a_trail() -> Place {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let server = place.serve(&[]);
    server.browser().log_in(EMAIL, OTHER_PASSWORD).is(401);
    server.member(EMAIL, PASSWORD).post("/logout", &[]).is(303);
    assert_eq!(server.end("TERM").0, Some(0));
    place.run(&["user", "disable", EMAIL]).works();
    place.run(&["user", "enable", EMAIL]).works();
    place
}

impl Place {
    /// Returns the records that `audit list` shows with these arguments.
    #[track_caller]
    pub(crate) fn trail(&self, args: &[&str]) -> Vec<Value> {
        let args = [&["audit", "list", "--json"], args].concat();
        self.run(&args).json().as_array().unwrap().clone()
    }

    #[track_caller]
    fn numbers(&self, args: &[&str]) -> Vec<u64> {
        self.trail(args).iter().map(|record| record["number"].as_u64().unwrap()).collect()
    }

    /// Returns the end of the trail, for `--noted`.
    #[track_caller]
    pub(crate) fn end_of_trail(&self) -> String {
        let report = self.run(&["audit", "verify", "--json"]).json();
        assert_eq!(report["whole"], true);
        report["end"].as_str().unwrap().to_owned()
    }
}

#[test]
fn what_has_happened_is_listed_the_oldest_first() {
    let place = place_with_a_trail();
    let trail = place.trail(&[]);
    let told: Vec<_> = trail
        .iter()
        .map(|record| {
            let word = |field: &str| record[field].as_str().unwrap_or("-").to_owned();
            [word("kind"), word("outcome"), word("reason"), word("actor"), word("address")]
                .join(" ")
        })
        .collect();
    let expected = [
        "user_registered success - command_line -",
        "user_login_failed failure wrong_password visitor 127.0.0.1",
        "user_logged_in success - user 127.0.0.1",
        "user_logged_out success - user 127.0.0.1",
        "user_disabled success - command_line -",
        "user_enabled success - command_line -",
    ];
    assert_eq!(told, expected);
    let user = place.run(&["user", "show", EMAIL, "--json"]).json();
    assert!(trail.iter().all(|record| record["user_id"] == user["id"]));
    assert_eq!(trail[2]["session_id"], trail[3]["session_id"]);
    let table = place.run(&["audit", "list"]);
    let lines: Vec<_> = table.works().lines().collect();
    assert_eq!(lines.len(), 7);
    assert!(lines[0].starts_with("NUMBER") && lines[2].contains("wrong_password"), "{table:?}");
}

#[test]
fn what_is_asked_for_is_listed_and_nothing_else() {
    let place = place_with_a_trail();
    place.create("bob@example.org", PASSWORD);
    let user = place.run(&["user", "show", EMAIL, "--json"]).json();
    let id = user["id"].as_str().unwrap();
    for (args, numbers) in [
        (&["--user", EMAIL][..], vec![1, 2, 3, 4, 5, 6]),
        (&["--user", "ADA@Example.ORG", "--limit", "1"], vec![6]),
        (&["--user", id, "--kind", "user_disabled"], vec![5]),
        (&["--user", "01955555-5555-7555-8555-555555555555"], vec![]),
        (&["--kind", "user_registered"], vec![1, 7]),
        (&["--kind", "user_deleted"], vec![]),
        (&["--limit", "2"], vec![6, 7]),
        (&["--limit", "0"], vec![]),
        (&["--limit", "4294967295"], vec![1, 2, 3, 4, 5, 6, 7]),
        (&["--since", "1h"], vec![1, 2, 3, 4, 5, 6, 7]),
        (&["--since", "1h", "--limit", "1"], vec![7]),
        (&["--since", "0"], vec![]),
        (&["--since", "2000-01-01"], vec![1, 2, 3, 4, 5, 6, 7]),
        (&["--since", "9999-12-31"], vec![]),
        (&["--since", "2000-01-01T00:00:00+02:00", "--kind", "user_logged_in"], vec![3]),
    ] {
        assert_eq!(place.numbers(args), numbers, "{args:?}");
    }
    // `--since` includes the record of that very moment.
    let at = place.trail(&["--kind", "user_logged_out"])[0]["at"].as_str().unwrap().to_owned();
    assert_eq!(place.numbers(&["--since", &at]), [4, 5, 6, 7]);
    // The records of a deleted user can no longer be listed by the address, but they are still there.
    place.run(&["user", "delete", EMAIL, "--yes"]).works();
    assert!(place.run(&["audit", "list", "--user", EMAIL]).fails().contains(EMAIL));
    assert_eq!(place.numbers(&["--user", id]), [1, 2, 3, 4, 5, 6, 8]);
}

#[test]
fn what_cannot_be_asked_for_is_refused_in_one_line() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let (hash, at) = ("0".repeat(64), "2026-11-23T10:15:00Z");
    for (args, says) in [
        (&["list", "--kind", "nonsense"][..], "user_login_failed"),
        (&["list", "--kind", ""], "user_login_failed"),
        (&["list", "--kind", "x\ny\u{1b}[31m"], "is not a kind"),
        (&["list", "--since", "yesterday"], "use a duration such as 7d"),
        (&["list", "--since", ""], "2026-11-23"),
        (&["list", "--since=-5"], "is not a moment"),
        (&["list", "--since", "2026-02-30"], "is not a moment"),
        (&["list", "--since", "99999999999999999d"], "is not a moment"),
        (&["list", "--since", "9999999y"], "is not a moment"),
        (&["list", "--user", "nobody@example.org"], "nobody@example.org"),
        (&["list", "--user", "ada"], "\"ada\""),
        (&["verify", "--noted", "x"], "NUMBER:HASH:WHEN"),
        (&["verify", "--noted", ""], "NUMBER:HASH:WHEN"),
        (&["verify", "--noted", "1:zz"], "NUMBER:HASH:WHEN"),
        (&["verify", &format!("--noted=-1:{hash}:{at}")], "NUMBER:HASH:WHEN"),
        (&["verify", "--noted", &format!("1:{hash}")], "NUMBER:HASH:WHEN"),
        (&["verify", "--noted", &format!("1:{hash}:")], "NUMBER:HASH:WHEN"),
        (&["verify", "--noted", &format!("1:{hash}:yesterday")], "NUMBER:HASH:WHEN"),
        (&["verify", "--state", "."], "--state ."),
        (&["verify", "--state", "no/such/file"], "--state no/such/file"),
        (&["verify", "--noted", &format!("1:{hash}0:{at}")], "NUMBER:HASH:WHEN"),
        (&["verify", "--noted", &format!("1:{}é:{at}", "0".repeat(62))], "NUMBER:HASH:WHEN"),
        (&["verify", "--noted", &format!("1:+{}:{at}", "0".repeat(63))], "NUMBER:HASH:WHEN"),
        (&["verify", "--noted", &format!("99999999999999999999:{hash}:{at}")], "NUMBER:HASH:WHEN"),
        (&["verify", "--noted", &format!("18446744073709551615:{hash}:{at}")], "should end with"),
        (&["verify", "--noted", &format!("1:{hash}:{at}")], "record 1 is not what was written"),
    ] {
        let done = place.run(&[&["audit"], args].concat());
        assert!(done.fails().contains(says), "{args:?}: {done:?}");
        assert!(!done.stderr.contains('\u{1b}'), "{done:?}");
    }
    for args in [&["list", "--limit", "-1"][..], &["list", "--limit", "many"], &["erase"], &[]] {
        assert_eq!(place.run(&[&["audit"], args].concat()).code, Some(2), "{args:?}");
    }
}

#[test]
fn a_whole_trail_is_said_to_be_whole_while_it_grows() {
    let place = Place::new();
    place.migrate();
    assert!(place.run(&["audit", "verify"]).works().contains("whole: 0 records"));
    let nothing = place.end_of_trail();
    let place = place_with_a_trail();
    let done = place.run(&["audit", "verify"]);
    assert!(done.works().starts_with("The audit trail is whole: 6 records.\n"), "{done:?}");
    let end = place.end_of_trail();
    assert!(end.starts_with("6:") && done.stdout.contains(&end), "{done:?}");
    place.create("bob@example.org", PASSWORD);
    for noted in [&end, &nothing, &place.end_of_trail()] {
        place.run(&["audit", "verify", "--noted", noted]).works();
    }
    let server = place.serve(&[]);
    for _ in 0..3 {
        server.member(EMAIL, PASSWORD);
        assert!(place.run(&["audit", "verify", "--noted", &end]).works().contains("whole"));
    }
}

#[test]
fn an_old_trail_loses_its_addresses_and_its_start_and_stays_whole() {
    const SHORT: [(&str, &str); 2] =
        [("COUNTERSIGN_AUDIT__KEEP_ADDRESSES_FOR", "1s"), ("COUNTERSIGN_AUDIT__KEEP_FOR", "1s")];
    let place = place_with_a_trail();
    let noted = place.end_of_trail();
    // A busy machine may give a server that ends no time for its last housekeeping.
    let keep_house = |env: &[(&str, &str)]| {
        let before = place.trail(&[]);
        while place.trail(&[]) == before {
            std::thread::sleep(std::time::Duration::from_millis(1_100));
            let server = place.serve(env);
            server.browser().get("/health/live").is(200);
            assert_eq!(server.end("TERM").0, Some(0));
        }
    };
    let verify = |args: &[&str]| place.run_with(&SHORT, &[&["audit", "verify"], args].concat(), "");
    keep_house(&SHORT[..1]);
    let trail = place.trail(&[]);
    assert_eq!((trail.len(), &trail[2]["address"]), (7, &"127.0.0.0".into()));
    let said = &trail[6];
    assert_eq!((&said["kind"], &said["actor"]), (&"audit_shortened".into(), &"service".into()));
    assert!(said["subject"].as_str().unwrap().starts_with("records:6:"), "{said}");
    verify(&["--noted", &noted]).works();
    // By the longer retention it was too early, unless its end was noted before the retention grew.
    let done = place.run(&["audit", "verify"]);
    assert!(done.fails().contains("is shortened") || done.stderr.contains("before their time"));
    let newer = verify(&["--json"]).json()["end"].as_str().unwrap().to_owned();
    place.run(&["audit", "verify", "--noted", &newer]).works();

    place.create("bob@example.org", PASSWORD);
    let young = verify(&["--json"]).json()["end"].as_str().unwrap().to_owned();
    keep_house(&SHORT);
    let kinds: Vec<_> = place.trail(&[]).iter().map(|record| record["kind"].clone()).collect();
    assert_eq!(kinds, ["audit_shortened", "audit_removed"]);
    let report = verify(&["--json"]).json();
    assert_eq!((&report["records"], &report["removed_up_to"]), (&2.into(), &8.into()));
    let end = report["end"].as_str().unwrap();
    verify(&["--noted", end]).works();
    // What was noted is gone, and old enough for that.
    verify(&["--noted", end, "--noted", &noted, "--noted", &young]).works();
    // By the longer retention it was not.
    for noted in [&noted, &young] {
        let done = place.run(&["audit", "verify", "--noted", noted]);
        assert!(done.fails().contains("is missing: the next one there is 9"), "{done:?}");
    }
}

#[test]
fn a_check_that_was_interrupted_goes_on_where_its_file_says() {
    let place = place_with_a_trail();
    let end = place.end_of_trail();
    let verify =
        |args: &[&str]| place.run(&[&["audit", "verify", "--state", "so-far"], args].concat());
    verify(&[]).works();
    assert!(!place.path("so-far").exists(), "the next check begins anew");
    // As a check leaves it that was killed.
    let so_far = end.splitn(3, ':').take(2).collect::<Vec<_>>().join(":");
    std::fs::write(place.path("so-far"), format!("{so_far}\n")).unwrap();
    place.create("bob@example.org", PASSWORD);
    assert!(verify(&["--noted", &end]).works().contains("whole: 7 records"));
    assert!(!place.path("so-far").exists());
    for (written, says) in [
        (format!("6:{}\n", "0".repeat(64)), "record 6 is not what was written"),
        (format!("8{}\n", so_far.strip_prefix('6').unwrap()), "should end with record 8"),
        ("nonsense".to_owned(), "delete it to check from the beginning"),
    ] {
        std::fs::write(place.path("so-far"), &written).unwrap();
        let done = verify(&[]);
        assert!(done.fails().contains(says), "{done:?}");
        assert_eq!(std::fs::read_to_string(place.path("so-far")).unwrap(), written);
    }
}
