//! Tests of the program with PgBouncer.

use crate::edge::free_port;
use crate::pooled::Pooler;
use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Place, Server};

/// Registers and logs in at one node, visits the other, and logs out.
fn visit(name: &str, one: &Server, other: &Server) {
    let email = format!("{name}@example.org");
    let mut visitor = one.browser();
    visitor.try_register(&email, PASSWORD).unwrap().sees_other("/login");
    visitor.port = other.port;
    visitor.log_in(&email, PASSWORD).sees_other("/blogs");
    visitor.port = one.port;
    visitor.get("/blogs").is(200).shows("Hi Ada");
    visitor.get("/account/sessions").is(200);
    let mut thief = visitor.clone();
    visitor.post("/logout", &[]).sees_other("/login");
    thief.port = other.port;
    for left in [&mut visitor, &mut thief] {
        left.get("/blogs").sees_other("/login?next=%2Fblogs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_use_two_nodes_at_once_over_two_connections_to_the_server() {
    let Some(pooler) = Pooler::new(free_port()).await else { return };
    let place = Place::new();
    let url = pooler.url("?pooler=transaction");
    let env =
        [("COUNTERSIGN_DATABASE_URL", url.as_str()), ("COUNTERSIGN_SESSION__MAX_STALENESS", "0s")];
    // Both nodes start on an empty database.
    let nodes = [place.start(&env), place.start(&env)].map(|node| node.ready());
    let [one, other] = &nodes;
    std::thread::scope(|scope| {
        for n in 0..10 {
            let (one, other) = if n % 2 == 0 { (one, other) } else { (other, one) };
            scope.spawn(move || visit(&format!("visitor{n}"), one, other));
        }
    });
    other.browser().log_in("visitor0@example.org", OTHER_PASSWORD).is(401);
    for node in nodes {
        node.browser().get("/health/ready").is(200);
        let (code, _, _) = node.end("TERM");
        assert_eq!(code, Some(0));
    }
    let create = ["user", "create", EMAIL, "--password-stdin"];
    place.run_with(&env, &create, &format!("{PASSWORD}\n")).works();
    let listed = place.run_with(&env, &["user", "list", "--json"], "").json();
    assert_eq!(listed.as_array().unwrap().len(), 11, "{listed}");
    place.run_with(&env, &["audit", "verify"], "").works();
    let status = place.run_with(&env, &["migrate", "status"], "");
    assert!(!status.works().contains("pending m"), "{status:?}");
    place.run_with(&env, &["export", "--to", "sqlite://copy.db?mode=rwc"], "").works();
}
