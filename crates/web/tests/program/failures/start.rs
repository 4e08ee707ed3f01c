//! Tests of starting the program while the database server is not running.

use super::{ALWAYS_ASKS, RECOVERED, is_out_of_order, is_outage, recovers, wait_until, with};
use crate::edge::free_port;
use crate::own::Own;
use crate::pooled::Pooler;
use crate::server::Engine;
use crate::support::{EMAIL, PASSWORD, Place};

#[test]
fn the_site_starts_before_its_database_and_is_ready_by_itself_when_that_is_there() {
    for engine in Engine::ALL {
        let Some(mut own) = Own::prepare(engine) else { continue };
        let place = Place::new();
        let url = own.url();
        let site = place.serve(&with(&url, &ALWAYS_ASKS));
        assert!(site.line.starts_with("Countersign waits for its database at http://127.0.0.1:"));
        site.browser().get("/health/live").is(200);
        site.browser().get("/health/ready").is(503);
        is_outage(|| site.browser().log_in(EMAIL, PASSWORD));
        is_outage(|| site.browser().try_register(EMAIL, PASSWORD).unwrap());
        wait_until(RECOVERED, "it tries again", || site.log().contains("still away"));
        own.run();
        wait_until(RECOVERED, "it is ready", || site.browser().get("/health/ready").status == 200);
        site.browser().try_register(EMAIL, PASSWORD).unwrap().is(303);
        recovers(&site, &mut site.member(EMAIL, PASSWORD));
        let (code, _, rest) = site.end("TERM");
        assert_eq!(code, Some(0));
        assert!(rest.starts_with("Countersign is ready at http://127.0.0.1:"), "{rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_starts_while_the_pooler_of_its_database_has_no_server() {
    let Some(mut own) = Own::prepare(Engine::Postgres) else { return };
    let server = format!("host=127.0.0.1 port={} dbname=postgres user=postgres", own.port);
    let Some(pooler) = Pooler::before(&server, free_port()).await else { return };
    let place = Place::new();
    let url = pooler.url("?pooler=transaction");
    let site = place.serve(&with(&url, &ALWAYS_ASKS));
    wait_until(RECOVERED, "it tries again", || site.log().contains("still away"));
    own.run();
    wait_until(RECOVERED, "it is ready", || site.browser().get("/health/ready").status == 200);
    site.browser().try_register(EMAIL, PASSWORD).unwrap().is(303);
    let mut ada = site.member(EMAIL, PASSWORD);
    // By now the pooler knows the server, so it accepts clients even without a connection to it.
    own.kill();
    is_out_of_order(&site, &mut ada);
    let other = place.serve(&with(&url, &ALWAYS_ASKS));
    assert!(other.line.starts_with("Countersign waits for its database"), "{}", other.line);
    own.run();
    recovers(&site, &mut ada);
    ada.port = other.port;
    recovers(&other, &mut ada);
}

#[test]
fn a_site_that_waits_ends_when_it_is_told_to() {
    let place = Place::new();
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://ada:s3cret@127.0.0.1:1/site");
        let site = place.serve(&with(&url, &[]));
        let log = site.log();
        let (code, took, _) = site.end("TERM");
        assert_eq!(code, Some(0));
        assert!(took < RECOVERED, "{took:?}");
        assert!(log.contains("no server listens there") && !log.contains("s3cret"), "{log}");
    }
}

#[test]
fn what_does_not_pass_by_itself_ends_the_start_at_once_or_when_it_is_known() {
    let Some(mut own) = Own::start(Engine::Postgres) else { return };
    let place = Place::new();
    let url = format!("postgres://postgres@127.0.0.1:{}/nowhere", own.port);
    let done = place.run_with(&with(&url, &[("ROCKET_PORT", "0")]), &["serve"], "");
    assert!(done.fails().contains("does not exist"), "{done:?}");
    own.kill();
    let site = place.serve(&with(&url, &[]));
    own.run();
    let (code, rest) = site.ended();
    assert_eq!(code, Some(1), "{rest}");
    assert!(rest.contains("error: ") && rest.contains("does not exist"), "{rest}");
}
