//! Tests of the program with the databases of servers.

use crate::server::TestDatabase;
use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Place};

#[tokio::test]
async fn people_register_log_in_see_the_members_page_and_log_out_on_each_server() {
    for database in TestDatabase::of_each().await {
        let place = Place::new();
        let env = [("COUNTERSIGN_DATABASE_URL", database.url.as_str())];
        let server = place.serve(&env);
        let mut ada = server.browser();
        ada.get("/blogs").sees_other("/login?next=%2Fblogs");
        ada.try_register(EMAIL, PASSWORD).unwrap().sees_other("/login");
        ada.try_register(EMAIL, PASSWORD).unwrap().is(409);
        ada.log_in(EMAIL, OTHER_PASSWORD).is(401);
        ada.log_in(EMAIL, PASSWORD).sees_other("/blogs");
        ada.get("/blogs").is(200).shows("Hi Ada");
        ada.get("/account").is(200);
        ada.get("/account/sessions").is(200);
        let mut thief = ada.clone();
        ada.post("/logout", &[]).sees_other("/login");
        ada.get("/blogs").sees_other("/login?next=%2Fblogs");
        thief.get("/blogs").sees_other("/login?next=%2Fblogs");
        server.browser().get("/health/ready").is(200);
        let log = server.log();
        assert!(!place.path("countersign.db").exists(), "{log}");

        let listed = place.run_with(&env, &["user", "list"], "");
        assert!(listed.works().contains(EMAIL), "{listed:?}");
        let verified = place.run_with(&env, &["audit", "verify"], "");
        verified.works();
        let status = place.run_with(&env, &["migrate", "status"], "");
        assert!(!status.works().contains("pending m"), "{status:?}");
    }
}

#[tokio::test]
async fn a_session_outlives_the_process_and_two_programs_share_a_database() {
    for database in TestDatabase::of_each().await {
        let place = Place::new();
        let env = [("COUNTERSIGN_DATABASE_URL", database.url.as_str())];
        let (one, other) = (place.start(&env), place.start(&env));
        let (one, other) = (one.ready(), other.ready());
        one.browser().try_register(EMAIL, PASSWORD).unwrap().is(303);
        let mut ada = other.member(EMAIL, PASSWORD);
        other.end("TERM");
        ada.port = one.port;
        ada.get("/blogs").is(200).shows("Hi Ada");
    }
}

#[test]
fn the_password_of_a_database_is_in_no_error() {
    let place = Place::new();
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://ada:s3cret@127.0.0.1:1/site");
        let done = place.run_with(&[("COUNTERSIGN_DATABASE_URL", &url)], &["migrate", "up"], "");
        let why = done.fails();
        let shown = format!("{scheme}://***@127.0.0.1:1/site: no server listens there");
        assert!(why.contains(&shown) && !why.contains("s3cret"), "{why}");
    }
}
