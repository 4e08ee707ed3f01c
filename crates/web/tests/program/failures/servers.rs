//! Tests of database servers that fail while users are logged in.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use super::proxy::Proxy;
use super::{ALWAYS_ASKS, is_out_of_order, recovers, with};
use crate::http::Browser;
use crate::own::Own;
use crate::server::Engine;
use crate::support::{EMAIL, PASSWORD, Place, Server};

/// Starts a site on this database, with a user who is logged in.
fn site(place: &Place, url: &str) -> (Server, Browser) {
    let site = place.serve(&with(url, &ALWAYS_ASKS));
    site.browser().try_register(EMAIL, PASSWORD).unwrap().is(303);
    let ada = site.member(EMAIL, PASSWORD);
    (site, ada)
}

fn a_server_is_killed_and_stopped(engine: Engine) {
    let Some(mut own) = Own::start(engine) else { return };
    let place = Place::new();
    let (site, mut ada) = site(&place, &own.url());
    own.kill();
    is_out_of_order(&site, &mut ada);
    own.run();
    recovers(&site, &mut ada);
    own.stop();
    is_out_of_order(&site, &mut ada);
    own.go_on();
    recovers(&site, &mut ada);
    ada.get("/blogs").is(200).shows("Hi Ada");
}

#[test]
fn a_postgresql_that_is_killed_or_stopped_logs_nobody_out_and_is_found_again() {
    a_server_is_killed_and_stopped(Engine::Postgres);
}

#[test]
fn a_mariadb_that_is_killed_or_stopped_logs_nobody_out_and_is_found_again() {
    a_server_is_killed_and_stopped(Engine::MariaDb);
}

#[test]
fn a_database_that_is_slow_logs_nobody_out_and_is_found_again() {
    for engine in Engine::ALL {
        let Some(own) = Own::start(engine) else { continue };
        let proxy = Proxy::to(own.port);
        let place = Place::new();
        let (site, mut ada) = site(&place, &own.url_at(proxy.port));
        proxy.slow_down(Duration::from_millis(200));
        ada.get("/blogs").is(200).shows("Hi Ada");
        proxy.slow_down(Duration::from_secs(6));
        is_out_of_order(&site, &mut ada);
        proxy.slow_down(Duration::ZERO);
        recovers(&site, &mut ada);
    }
}

/// Opens all connections that a server has left.
async fn take_all(url: &str) -> Vec<DatabaseConnection> {
    let mut taken = Vec::new();
    loop {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false).acquire_timeout(Duration::from_secs(1));
        match Database::connect(options).await {
            Ok(connection) => taken.push(connection),
            Err(_) => return taken,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_no_connection_left_logs_nobody_out_and_is_found_again() {
    for engine in Engine::ALL {
        let Some(mut own) = Own::start(engine) else { continue };
        let place = Place::new();
        let (site, mut ada) = site(&place, &own.url());
        // Restarting the server closes the connections of the site.
        own.kill();
        own.run();
        let taken = take_all(&own.url()).await;
        assert!(taken.len() >= 10, "{}", taken.len());
        is_out_of_order(&site, &mut ada);
        // Another node still starts, and waits for a connection.
        let other = place.serve(&with(&own.url(), &ALWAYS_ASKS));
        other.browser().get("/health/ready").is(503);
        for connection in taken {
            connection.close().await.unwrap();
        }
        recovers(&site, &mut ada);
        ada.port = other.port;
        recovers(&other, &mut ada);
    }
}
