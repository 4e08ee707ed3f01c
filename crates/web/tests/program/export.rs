//! Tests of moving a site from one database to another.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use countersign_persistence::SqlStore;
use sea_orm::ConnectionTrait;

use crate::server::TestDatabase;
use crate::support::{Done, EMAIL, OTHER_PASSWORD, PASSWORD, Place};

/// Makes databases for a site: files, and one on each server that is installed.
async fn homes(place: &Place) -> (Vec<TestDatabase>, Vec<String>) {
    let servers = TestDatabase::of_each().await;
    let mut urls = vec!["sqlite://countersign.db?mode=rwc".to_owned()];
    urls.extend(servers.iter().map(|server| server.url.clone()));
    urls.push(format!("sqlite://{}?mode=rwc", place.path("home.db").display()));
    (servers, urls)
}

impl Place {
    fn export(&self, from: &str, to: &str, more: &[&str]) -> Done {
        let args = [&["--database-url", from, "export", "--to", to], more].concat();
        self.run_with(&SHORT, &args, "")
    }
}

/// Addresses are shortened soon, and a check of the trail expects no other rule.
const SHORT: [(&str, &str); 1] = [("COUNTERSIGN_AUDIT__KEEP_ADDRESSES_FOR", "1s")];

/// Runs statements on a database without the program.
async fn by_hand(url: &str, statements: &[&str]) {
    let database = SqlStore::connect(url).await.unwrap();
    for statement in statements {
        database.connection().execute_unprepared(statement).await.unwrap();
    }
    database.close().await;
}

#[tokio::test]
async fn a_lively_site_goes_round_all_databases_and_its_members_stay_logged_in() {
    let place = Place::new();
    let (_servers, homes) = homes(&place).await;
    place.create("bob@example.org", PASSWORD);
    place.create("eve@example.org", PASSWORD);
    place.run(&["user", "disable", "bob@example.org"]).works();
    let server = place.serve(&SHORT);
    server.browser().try_register(EMAIL, PASSWORD).unwrap().is(303);
    server.browser().log_in(EMAIL, OTHER_PASSWORD).is(401);
    std::thread::sleep(Duration::from_millis(1_100));
    // The last housekeeping removes the addresses of the records, which are old by now.
    assert_eq!(server.end("TERM").0, Some(0));
    let server = place.serve(&[]);
    let mut ada = server.member(EMAIL, PASSWORD);
    let mut eve = server.browser();
    let form = [("email", "eve@example.org"), ("password", PASSWORD), ("remember", "on")];
    eve.post("/login", &form).is(303);
    server.browser().log_in(EMAIL, OTHER_PASSWORD).is(401);
    assert_eq!(server.end("TERM").0, Some(0));
    let waiting = "INSERT INTO pending_logins SELECT randomblob(32), id, 'password', \
        randomblob(32), 1, randomblob(40), 0, created_at, created_at FROM users";
    by_hand(&format!("sqlite://{}", place.path("countersign.db").display()), &[waiting]).await;

    let mut reports = Vec::new();
    for (from, to) in homes.iter().zip(&homes[1..]) {
        let done = place.export(from, to, &["--json"]);
        let report = done.json();
        assert_eq!(report["same"], true);
        for table in report["tables"].as_array().unwrap() {
            let said =
                format!("copied {}: {} rows", table["table"].as_str().unwrap(), table["rows"]);
            assert!(done.stderr.contains(&said) || table["table"] == "audit_ends", "{done:?}");
            // All records have their place by now.
            let is_queue = table["table"] == "audit_queue";
            assert_eq!(table["rows"] == 0, is_queue, "{table}: the test made no rows");
        }
        reports.push(report);
        let again = place.export(from, to, &[]);
        assert_eq!(again.works().matches("the same").count(), 10, "{again:?}");
        assert!(!again.stderr.contains("copied"), "{again:?}");
    }
    assert!(reports.iter().all(|report| *report == reports[0]));

    let home = [("COUNTERSIGN_DATABASE_URL", homes.last().unwrap().as_str())];
    let server = place.serve(&home);
    for browser in [&mut ada, &mut eve] {
        browser.port = server.port;
        browser.get("/blogs").is(200);
    }
    server.member(EMAIL, PASSWORD).get("/blogs").is(200);
    // A disabled user is still disabled, until an administrator enables the account.
    server.browser().log_in("bob@example.org", PASSWORD).is(401);
    place.run_with(&home, &["user", "enable", "bob@example.org"], "").works();
    server.member("bob@example.org", PASSWORD).get("/blogs").is(200);
    place.run_with(&[home[0], SHORT[0]], &["audit", "verify"], "").works();
}

/// Adds many members, so that an export takes a while.
async fn crowd(url: &str) {
    let users = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
        INSERT INTO users SELECT randomblob(16), 'u' || i || '@example.org', \
        'u' || i || '@example.org', 'u' || i, NULL, i % 2, '2026-11-24 10:00:00.123456', \
        '2026-11-24 10:00:00' FROM n";
    let sessions = "INSERT INTO sessions SELECT randomblob(16), id, NULL, randomblob(32), \
        '203.0.113.9', NULL, created_at, NULL, '', created_at, created_at FROM users";
    by_hand(url, &[users, sessions]).await;
}

#[tokio::test]
async fn an_export_that_is_killed_is_completed_by_the_next_one() {
    let source = "sqlite://countersign.db?mode=rwc";
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    crowd(&format!("sqlite://{}", place.path("countersign.db").display())).await;
    for on in TestDatabase::of_each().await {
        let mut cut_off = 0;
        let mut moment = Duration::from_millis(40);
        loop {
            let mut child = place.spawn(&["--database-url", source, "export", "--to", &on.url]);
            let start = Instant::now();
            while start.elapsed() < moment && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
            // The export ends like in a power failure.
            child.kill().unwrap();
            child.wait().unwrap();
            cut_off += 1;
            moment = moment * 3 / 2;
        }
        assert!(cut_off > 2, "{:?}: {cut_off}", on.engine);
        let report = place.export(source, &on.url, &["--json"]).json();
        assert_eq!(report["same"], true);
        assert_eq!(
            (&report["tables"][0]["rows"], &report["tables"][2]["rows"]),
            (&20_001.into(), &20_001.into())
        );
    }
}

#[tokio::test]
async fn a_copy_that_was_changed_by_hand_is_a_failure_that_names_the_table() {
    let source = "sqlite://countersign.db?mode=rwc";
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let (_servers, homes) = homes(&place).await;
    for to in &homes[1..] {
        let done = place.export(source, to, &[]);
        done.works();
        // The program prints a line when it copies a table, and another when it verifies it.
        let told: BTreeSet<_> = done.stderr.lines().collect();
        assert_eq!((told.len(), done.stderr.lines().count()), (9 + 10, 9 + 10), "{done:?}");
        by_hand(to, &["UPDATE users SET username = 'Eve'"]).await;
        for more in [&["--json"][..], &[]] {
            let done = place.export(source, to, more);
            assert_eq!(done.code, Some(1), "{done:?}");
            assert!(done.stderr.contains("error: the copy differs in users: "), "{done:?}");
            assert!(done.stdout.contains("different") || done.stdout.contains("\"same\": false"));
        }
        // When either site is used after the export, they are no longer the same site.
        by_hand(to, &["UPDATE users SET username = 'Ada'"]).await;
        place.export(source, to, &[]).works();
        let moved = [("COUNTERSIGN_DATABASE_URL", to.as_str())];
        place.run_with(&moved, &["user", "disable", EMAIL], "").works();
        let refused = place.export(source, to, &[]);
        assert!(refused.fails().contains("is not empty"), "{refused:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_in_one_line_that_shows_no_password() {
    let source = "sqlite://countersign.db?mode=rwc";
    let place = Place::new();
    let nothing = place.export("sqlite://nothing.db?mode=rwc", "sqlite://new.db?mode=rwc", &[]);
    assert!(nothing.fails().contains("nothing.db"), "{nothing:?}");
    place.write("empty.db", "");
    let nothing = place.export("sqlite://empty.db", "sqlite://new.db?mode=rwc", &[]);
    assert!(nothing.fails().contains("holds no site"), "{nothing:?}");
    assert!(!place.path("nothing.db").exists() && !place.path("new.db").exists());
    place.create(EMAIL, PASSWORD);
    for (to, says) in [
        ("nonsense", "use sqlite://"),
        ("", "use sqlite://"),
        ("redis://ada:s3cret@h/x", "use sqlite://"),
        ("sqlite://nowhere.db", "there is no such file"),
        ("postgres://ada:s3cret@127.0.0.1:1/site", "no server listens there"),
        ("mysql://ada:s3cret@127.0.0.1:1/site", "no server listens there"),
        ("mysql://ada:s3cret@127.0.0.1:1", "it names no database"),
        (source, "the configured database itself"),
    ] {
        let done = place.export(source, to, &[]);
        assert!(done.fails().contains(says), "{to}: {done:?}");
        assert!(!done.stderr.contains("s3cret"), "{done:?}");
    }
    let other = [("COUNTERSIGN_DATABASE_URL", "sqlite://other.db?mode=rwc")];
    let args = ["user", "create", EMAIL, "--password-stdin"];
    place.run_with(&other, &["migrate", "up"], "").works();
    place.run_with(&other, &args, &format!("{PASSWORD}\n")).works();
    let done = place.export(source, "sqlite://other.db", &[]);
    assert!(
        done.fails().contains("\"sqlite://other.db\" is not empty")
            || done.fails().contains("sqlite://other.db is not empty"),
        "{done:?}"
    );
    // An export migrates neither database from an older version.
    place.run(&["--database-url", "sqlite://other.db", "migrate", "down", "--yes"]).works();
    assert!(place.export(source, "sqlite://other.db", &[]).fails().contains("is not empty"));
    let older = place.export("sqlite://other.db", "sqlite://new.db?mode=rwc", &[]);
    assert!(older.fails().contains("countersign migrate up"), "{older:?}");
    let status = place.run(&["--database-url", "sqlite://other.db", "migrate", "status"]);
    assert_eq!(status.works().lines().filter(|line| line.starts_with("pending ")).count(), 1);
    assert_eq!(place.run(&["export"]).code, Some(2));
}

#[tokio::test]
async fn the_target_of_an_export_need_not_be_on_the_command_line_and_its_password_is_never_shown() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let file = |url: &str| {
        std::fs::write(place.path("target"), format!("{url}\n")).unwrap();
        place.path("target").display().to_string()
    };
    let export = |way: &str, url: &str| match way {
        "file" => place.run(&["export", "--to-file", &file(url)]),
        "stdin" => place.run_with(&[], &["export", "--to-stdin"], &format!("{url}\nmore\n")),
        "environment" => place.run_with(&[("COUNTERSIGN_EXPORT_TO", url)], &["export"], ""),
        _ => place.run_with(&[("COUNTERSIGN_EXPORT_TO_FILE", &file(url))], &["export"], ""),
    };
    for way in ["file", "stdin", "environment", "file of the environment"] {
        let home = format!("sqlite://{}.db?mode=rwc", way.replace(' ', "-"));
        assert!(export(way, &home).works().contains("the same"), "{way}");
        for (url, says) in [
            ("postgres://ada:s3cret@127.0.0.1:1/site", "no server listens there"),
            ("redis://ada:s3cret@h/x", "use sqlite://"),
            ("s3cret", "use sqlite://"),
            ("", "use sqlite://"),
        ] {
            let done = export(way, url);
            assert!(done.fails().contains(says), "{way}: {done:?}");
            assert!(!format!("{done:?}").contains("s3cret"), "{way}: {done:?}");
        }
    }
    let gone = place.run(&["export", "--to-file", "nowhere"]);
    assert!(gone.fails().contains("nowhere cannot be read"), "{gone:?}");
    let both = place.run(&["export", "--to", "sqlite://a.db", "--to-stdin"]);
    assert_eq!(both.code, Some(2), "{both:?}");
    // The variables name no key of the configuration.
    let to = [("COUNTERSIGN_EXPORT_TO", "postgres://ada:s3cret@h/x")];
    place.run_with(&to, &["config", "check"], "").works();
    assert!(!place.run_with(&to, &["config", "show"], "").works().contains("s3cret"));
}
