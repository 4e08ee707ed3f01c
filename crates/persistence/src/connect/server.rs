//! What the databases share that are servers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::pool::{PoolConnectionMetadata, PoolOptions};
use sea_orm::sqlx::{self, Connection};
use sea_orm::{DbErr, RuntimeErr};

use super::options::CannotConnect;
use crate::error::{is_away, is_tls};
use crate::limits::ACQUIRE_TIMEOUT;

/// After so long without a word a connection is asked whether it still stands. When a server was
/// started anew, no more of its old connections than were just in use fail a visitor.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Few enough that half a dozen programs fit into the 100 connections that PostgreSQL grants.
const MAX_CONNECTIONS: u32 = 16;
const MOST_CONNECTIONS: u32 = 1_000;

/// A URL without the parameter that is ours, and what that says.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) url: String,
    pub(super) max_connections: u32,
}

/// Takes `max_connections` out of a URL, and sees that it has none but the `known` parameters: the
/// driver would log the others with their values, which may be secrets.
pub(super) fn parse(url: &str, known: &[&str]) -> Result<Parsed, String> {
    let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
    let path = base.split_once("://").and_then(|(_, rest)| rest.rsplit_once('/'));
    if path.is_none_or(|(_, database)| database.is_empty()) {
        return Err("it names no database: end it with /DATABASE".to_owned());
    }
    let (mut kept, mut max_connections) = (Vec::new(), MAX_CONNECTIONS);
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("max_connections", count)) => {
                let count = count.parse().ok().filter(|n| (1..=MOST_CONNECTIONS).contains(n));
                max_connections = count.ok_or_else(|| {
                    format!("max_connections must be a number from 1 to {MOST_CONNECTIONS}")
                })?;
            }
            Some((name, _)) if known.contains(&name) => kept.push(parameter),
            _ => {
                // It is not shown: it may be part of a password.
                let known = known.join(", ");
                return Err(format!(
                    "a parameter is unknown; supported are max_connections, {known}"
                ));
            }
        }
    }
    let url = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    Ok(Parsed { url, max_connections })
}

/// Awaits the server's answer to a client that connects, for as long as a call waits.
pub(super) async fn answered<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, CannotConnect> {
    answered_as(DbErr::Conn, answer).await
}

/// Awaits the server's answer to what an error of this kind would be about.
pub(super) async fn answered_as<T>(
    kind: fn(RuntimeErr) -> DbErr,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, CannotConnect> {
    match tokio::time::timeout(ACQUIRE_TIMEOUT, answer).await {
        Ok(answer) => answer.map_err(|error| {
            let why = explained(&error);
            let error = kind(RuntimeErr::SqlxError(Arc::new(error)));
            CannotConnect { why, is_away: is_away(&error) }
        }),
        Err(_) => {
            Err(CannotConnect { why: "the server does not answer".to_owned(), is_away: true })
        }
    }
}

/// Returns an address of IPv6 without the brackets that it has in a URL. The driver would ask for the name
/// `[::1]`, and for a certificate with that name.
pub(super) fn unbracketed(host: &str) -> String {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host).to_owned()
}

/// Says why a URL cannot be read.
pub(super) fn unread(error: &sqlx::Error, scheme: &str) -> String {
    let why = match error {
        sqlx::Error::Configuration(error) => error.to_string(),
        error => error.to_string(),
    };
    format!(
        "it cannot be read ({why}): use {scheme}://USER:PASSWORD@HOST:PORT/DATABASE, with %23 for # and so on \
         in a password"
    )
}

fn explained(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "no server listens there".to_owned()
        }
        sqlx::Error::Io(error) if is_tls(error) => format!("TLS: {error}"),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Configuration(error) => error.to_string(),
        sqlx::Error::Tls(error) => format!("TLS: {error}"),
        error => error.to_string(),
    }
}

pub(super) fn pool<DB: sqlx::Database>(max_connections: u32) -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection: &mut DB::Connection, idle: PoolConnectionMetadata| {
            Box::pin(async move {
                if idle.idle_for > TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}
