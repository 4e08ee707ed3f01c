//! Tests of database files that cannot be written, are damaged, or are missing.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

use super::{ALWAYS_ASKS, is_outage, recovers, with};
use crate::edge::tool_of;
use crate::support::{EMAIL, PASSWORD, Place};

const FILE: &str = "countersign.db";

/// A small disk, which is unmounted when this value is dropped.
struct Disk(PathBuf);

impl Disk {
    #[expect(clippy::print_stderr, reason = "a skipped test prints the reason")]
    fn at(path: PathBuf) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        let mut mount = tool_of("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(&path);
        if !mount.status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: only root can mount a disk");
            return None;
        }
        Some(Self(path))
    }

    fn remount(&self, how: &str) {
        let how = format!("remount,{how}");
        assert!(tool_of("mount").args(["-o", &how]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // If the disk is still in use, nothing can be done.
        let _ = tool_of("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_an_outage_for_whoever_writes_and_nobody_is_logged_out() {
    let place = Place::new();
    let Some(disk) = Disk::at(place.path("disk")) else { return };
    let url = format!("sqlite://{}/site.db?mode=rwc", disk.0.display());
    let site = place.serve(&with(&url, &ALWAYS_ASKS));
    site.browser().try_register(EMAIL, PASSWORD).unwrap().is(303);
    let mut ada = site.member(EMAIL, PASSWORD);
    let fill = disk.0.join("fill");
    // This writes until the disk is full.
    assert!(std::fs::write(&fill, vec![0; 4 << 20]).is_err());
    let mut refused = 0;
    for n in 0..200 {
        let reply = site.browser().try_register(&format!("u{n}@example.org"), PASSWORD).unwrap();
        if reply.status == 503 {
            refused += 1;
            if refused == 2 {
                break;
            }
        }
    }
    assert_eq!(refused, 2, "the disk is full");
    is_outage(|| site.browser().log_in(EMAIL, PASSWORD));
    ada.get("/blogs").is(200).shows("Hi Ada");
    std::fs::remove_file(&fill).unwrap();
    recovers(&site, &mut ada);
    site.browser().try_register("eve@example.org", PASSWORD).unwrap().is(303);
}

#[test]
fn a_disk_that_is_read_only_ends_the_start_and_says_so() {
    let place = Place::new();
    let Some(disk) = Disk::at(place.path("disk")) else { return };
    let url = format!("sqlite://{}/site.db?mode=rwc", disk.0.display());
    let env = with(&url, &[("ROCKET_PORT", "0")]);
    place.run_with(&env, &["migrate", "up"], "").works();
    disk.remount("ro");
    let done = place.run_with(&env, &["serve"], "");
    let why = done.fails();
    assert!(why.contains("site.db: it cannot be"), "{why}");
    disk.remount("rw");
    place.serve(&env);
}

/// Locks the database like another program that writes.
async fn locked(place: &Place) -> DatabaseConnection {
    let url = format!("sqlite://{}", place.path(FILE).display());
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let other = Database::connect(options).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    other
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_waits_three_seconds_for_another_program_and_is_told_if_it_takes_twenty() {
    let place = Place::new();
    let site = place.serve(&ALWAYS_ASKS);
    site.browser().try_register(EMAIL, PASSWORD).unwrap().is(303);
    let mut ada = site.member(EMAIL, PASSWORD);

    let other = locked(&place).await;
    let mut bob = site.browser();
    let waiting = std::thread::spawn(move || (bob.log_in(EMAIL, PASSWORD), bob));
    tokio::time::sleep(Duration::from_secs(3)).await;
    other.execute_unprepared("ROLLBACK").await.unwrap();
    let (reply, mut bob) = waiting.join().unwrap();
    reply.sees_other("/blogs");
    bob.get("/blogs").is(200);

    let start = Instant::now();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    while start.elapsed() < Duration::from_secs(20) {
        is_outage(|| site.browser().log_in(EMAIL, PASSWORD));
        is_outage(|| site.browser().try_register("eve@example.org", PASSWORD).unwrap());
        ada.get("/blogs").is(200).shows("Hi Ada");
    }
    other.execute_unprepared("ROLLBACK").await.unwrap();
    recovers(&site, &mut ada);
}

#[test]
fn a_damaged_file_is_refused_and_left_as_it_is() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let good = std::fs::read(place.path(FILE)).unwrap();
    let page = 4096;
    let without_header = [&[0x55; 100], &good[100..]].concat();
    let without_pages = [&good[..page], &vec![0x55; good.len() - page]].concat();
    let cut_off = good[..page].to_vec();
    for (what, bad) in [("header", without_header), ("pages", without_pages), ("cut off", cut_off)]
    {
        place.write(FILE, &bad);
        let done = place.run_with(&[("ROCKET_PORT", "0")], &["serve"], "");
        let why = done.stderr.lines().last().unwrap_or_default();
        assert!(done.code == Some(1) && why.starts_with("error: "), "{what}: {done:?}");
        assert!(std::fs::read(place.path(FILE)).unwrap() == bad, "{what}: it was changed");
    }
    place.write(FILE, &good);
    place.serve(&[]).member(EMAIL, PASSWORD).get("/blogs").is(200);
}

#[test]
fn pages_that_are_damaged_meanwhile_log_nobody_out() {
    let place = Place::new();
    place.create(EMAIL, PASSWORD);
    let site = place.serve(&ALWAYS_ASKS);
    let mut ada = site.member(EMAIL, PASSWORD);
    site.end("TERM");
    let site = place.serve(&ALWAYS_ASKS);
    ada.port = site.port;
    let length = std::fs::metadata(place.path(FILE)).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(place.path(FILE)).unwrap();
    // All pages but the first, which contains the schema.
    let bad = vec![0x55; usize::try_from(length).unwrap() - 4096];
    file.write_all_at(&bad, 4096).unwrap();
    let cookies = ada.cookies.clone();
    is_outage(|| ada.get("/blogs"));
    is_outage(|| site.browser().log_in(EMAIL, PASSWORD));
    assert_eq!(ada.cookies, cookies, "she is still logged in");
}

#[test]
fn a_file_that_is_gone_or_empty_while_its_log_is_there_is_never_made_anew() {
    let place = Place::new();
    let site = place.serve(&[]);
    site.browser().try_register(EMAIL, PASSWORD).unwrap().is(303);
    site.kill();
    let log = place.path("countersign.db-wal");
    let written = std::fs::read(&log).unwrap();
    assert!(!written.is_empty());
    let kept = std::fs::read(place.path(FILE)).unwrap();
    for how in ["missing", "empty"] {
        if how == "missing" {
            std::fs::remove_file(place.path(FILE)).unwrap();
        } else {
            place.write(FILE, "");
        }
        let done = place.run_with(&[("ROCKET_PORT", "0")], &["serve"], "");
        let why = done.fails();
        assert!(why.contains(&format!("the file is {how}, but a database was there")), "{why}");
        assert!(why.contains("countersign.db-wal"), "{why}");
        assert_eq!(std::fs::read(&log).unwrap(), written, "the log is not changed");
    }
    // With the file restored, all data is there.
    place.write(FILE, kept);
    place.serve(&[]).member(EMAIL, PASSWORD).get("/blogs").is(200);
}

#[test]
fn a_new_file_is_never_made_in_silence_nor_without_leave() {
    let place = Place::new();
    let site = place.serve(&[]);
    assert!(site.log().contains("there was no database: a new one is made"), "{}", site.log());
    site.end("TERM");
    assert!(!place.serve(&[]).log().contains("there was no database"));
    std::fs::remove_file(place.path(FILE)).unwrap();
    let env = [("COUNTERSIGN_DATABASE_URL", "sqlite://countersign.db"), ("ROCKET_PORT", "0")];
    let done = place.run_with(&env, &["serve"], "");
    assert!(done.fails().contains("there is no such file"), "{done:?}");
    assert!(!place.path(FILE).exists());
}
