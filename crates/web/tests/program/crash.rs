//! What was acknowledged is there after a crash.

use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::Duration;

use crate::http::Browser;
use crate::support::{PASSWORD, Place};

#[test]
fn a_registration_that_was_acknowledged_outlives_a_kill() {
    let place = Place::new();
    let unthrottled = [("COUNTERSIGN_THROTTLE__ENABLED", "false")];
    for round in 0..5 {
        let server = place.serve(&unthrottled);
        let port = server.port;
        let acknowledged = Mutex::new(Vec::new());
        // Some moment while people register.
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
            // At least one is acknowledged, and then it ends at once or soon.
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
        // And a session that was given out stands.
        let mut member = server.member(&emails[0], PASSWORD);
        server.kill();
        let server = place.serve(&[]);
        member.port = server.port;
        member.get("/blogs").is(200);
    }
}
