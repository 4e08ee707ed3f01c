//! Tests that everything that was acknowledged survives a crash.

use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::Duration;

use crate::http::Browser;
use crate::server::TestDatabase;
use crate::support::{Env, PASSWORD, Place};

#[test]
fn a_registration_that_was_acknowledged_outlives_a_kill() {
    what_was_acknowledged_outlives_kills(&Place::new(), &[], 5);
}

#[tokio::test]
async fn a_registration_that_was_acknowledged_outlives_a_kill_on_each_server() {
    for database in TestDatabase::of_each().await {
        let env = [("COUNTERSIGN_DATABASE_URL", database.url.as_str())];
        what_was_acknowledged_outlives_kills(&Place::new(), &env, 2);
    }
}

fn what_was_acknowledged_outlives_kills(place: &Place, database: &Env<'_>, rounds: u32) {
    let unthrottled = [database, &[("COUNTERSIGN_THROTTLE__ENABLED", "false")]].concat();
    for round in 0..rounds {
        let server = place.serve(&unthrottled);
        let port = server.port;
        let acknowledged = Mutex::new(Vec::new());
        // A random moment while people register.
        let moment = Duration::from_millis(100 + RandomState::new().hash_one(round) % 500);
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let acknowledged = &acknowledged;
                scope.spawn(move || {
                    for n in 0.. {
                        let email = format!("user-{round}-{thread}-{n}@example.org");
                        let reply = Browser::new(port).try_register(&email, PASSWORD);
                        match reply {
                            Ok(reply) if reply.status == 303 => {
                                acknowledged.lock().unwrap().push(email);
                            }
                            _ => break,
                        }
                    }
                });
            }
            // The program is killed at that moment, but not before one registration was acknowledged.
            while acknowledged.lock().unwrap().is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            if round > 0 {
                std::thread::sleep(moment);
            }
            server.kill();
        });
        let server = place.serve(&unthrottled);
        let emails = acknowledged.into_inner().unwrap();
        for email in &emails {
            server.member(email, PASSWORD).get("/blogs").is(200);
        }
        // No registration is incomplete: the audit trail has a record of each listed user, and is whole.
        let listed = place.run_with(database, &["user", "list", "--json"], "").json();
        let listed = listed.as_array().unwrap().len();
        let kind = ["audit", "list", "--kind", "user_registered", "--limit", "1000", "--json"];
        let registered = place.run_with(database, &kind, "").json();
        assert_eq!(registered.as_array().unwrap().len(), listed);
        place.run_with(database, &["audit", "verify"], "").works();
        // A session that was issued is still valid.
        let mut member = server.member(&emails[0], PASSWORD);
        server.kill();
        let server = place.serve(database);
        member.port = server.port;
        member.get("/blogs").is(200);
    }
}
