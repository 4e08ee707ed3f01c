//! Tests of several nodes on one database.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::{RECOVERED, wait_until};
use crate::edge::{Edge, free_port};
use crate::server::TestDatabase;
use crate::support::{EMAIL, PASSWORD, Place};

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_register_one_address_at_two_nodes_at_once_one_is_registered() {
    for database in TestDatabase::of_each().await {
        let place = Place::new();
        let env = [
            ("COUNTERSIGN_DATABASE_URL", database.url.as_str()),
            ("COUNTERSIGN_THROTTLE__ENABLED", "false"),
        ];
        let nodes = [place.start(&env), place.start(&env)].map(|node| node.ready());
        let mut answers = BTreeMap::new();
        std::thread::scope(|scope| {
            let visitors: Vec<_> = (0..50)
                .map(|n| {
                    let mut visitor = nodes[n % 2].browser();
                    // A visitor tries again while the site is overloaded.
                    scope.spawn(move || {
                        loop {
                            let reply = visitor.try_register(EMAIL, PASSWORD).unwrap();
                            if reply.status != 503 {
                                return reply.status;
                            }
                        }
                    })
                })
                .collect();
            for visitor in visitors {
                *answers.entry(visitor.join().unwrap()).or_insert(0) += 1;
            }
        });
        assert_eq!(answers, BTreeMap::from([(303, 1), (409, 49)]), "{:?}", database.engine);
        let listed = place.run_with(&env, &["user", "list", "--json"], "").json();
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
        nodes[1].member(EMAIL, PASSWORD).get("/blogs").is(200);
    }
}

#[test]
fn nodes_that_are_restarted_one_after_the_other_fail_nobody() {
    let ports = [free_port(), free_port(), free_port()];
    let names = ports.map(|port| format!("127.0.0.1:{port}"));
    let Some(edge) = Edge::start(&[
        ("COUNTERSIGN", &names[0]),
        ("COUNTERSIGN_2", &names[1]),
        ("COUNTERSIGN_3", &names[2]),
        ("CHECK_EVERY", "200ms"),
        // Each request uses a new connection.
        ("MAX_NEW", "1000000"),
    ]) else {
        return;
    };
    let mut nodes = ports.map(|port| Some(edge.node(port)));
    let (is_over, served) = (AtomicBool::new(false), AtomicU32::new(0));
    // Each member is logged in before the test begins. curl tries a refused connection a second time.
    let patient = ["--retry", "1", "--retry-connrefused", "--retry-max-time", "30"];
    let members: Vec<_> = (1..=4).map(|n| edge.visitor(Ipv4Addr::new(127, 0, 7, n))).collect();
    wait_until(RECOVERED, "all nodes are known", || {
        let reply = members[0].log_in(&[]);
        reply.status == 303
    });
    for member in &members[1..] {
        member.log_in(&[]).sees_other("/blogs");
    }
    std::thread::scope(|scope| {
        for member in &members {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let reply = member.ask("/blogs", &patient);
                    // After a failure, the other threads must end too.
                    if reply.status != 200 {
                        is_over.store(true, Ordering::Relaxed);
                    }
                    reply.is(200).shows("Hi Ada");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for (node, port) in nodes.iter_mut().zip(ports) {
            let before = served.load(Ordering::Relaxed);
            let (code, _, _) = node.take().unwrap().end("TERM");
            assert_eq!(code, Some(0));
            *node = Some(edge.node(port));
            // Twice the time in which the edge notices the node.
            std::thread::sleep(Duration::from_secs(2));
            assert!(served.load(Ordering::Relaxed) > before);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    // Any node answers a form.
    for member in &members {
        member.log_in(&[]).sees_other("/blogs");
    }
}
