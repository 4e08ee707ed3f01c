//! PostgreSQL.

use std::sync::Arc;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use sea_orm::sqlx::{ConnectOptions, Connection, Executor, Postgres, Row};
use sea_orm::{DatabaseConnection, DbErr};

use super::options::{CannotConnect, Connections, Opening};
use super::server::{answered, answered_as, parse, pool, unbracketed, unread};
use super::tls;
use crate::growth::Growth;
use crate::limits::{IDLE_IN_TRANSACTION, LOCK_TIMEOUT, STATEMENT_TIMEOUT};

const PARAMETERS: [&str; 7] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "options", POOLER];

/// Ours, as `max_connections` is.
const POOLER: &str = "pooler";

/// Returns the statement that begins a transaction behind a pooler. It sets what a connection of our own sets
/// once.
pub(crate) fn pooled_begin() -> String {
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {}; \
         SET LOCAL lock_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}",
        STATEMENT_TIMEOUT.as_millis(),
        LOCK_TIMEOUT.as_millis(),
        IDLE_IN_TRANSACTION.as_millis()
    )
}

/// What a URL says.
struct Read {
    options: PgConnectOptions,
    max_connections: u32,
    is_pooled: bool,
}

/// Checks a URL without connecting.
pub(super) fn check(url: &str) -> Result<(), String> {
    read(url).map(drop)
}

fn read(url: &str) -> Result<Read, String> {
    let parsed = parse(url, &PARAMETERS)?;
    let (url, is_pooled) = pooler(&parsed.url)?;
    let options = url.parse::<PgConnectOptions>().map_err(|error| unread(&error, "postgres"))?;
    let checks = matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    tls::check_files(&url, (!checks).then_some("sslmode=verify-full"))?;
    let host = unbracketed(options.get_host());
    let options = options.host(&host).application_name("countersign").disable_statement_logging();
    let options = if is_pooled {
        // What a pooler keeps for each client it takes; it refuses others. Each transaction brings
        // its settings: see `pooled_begin`.
        options.extra_float_digits(None).statement_cache_capacity(0)
    } else {
        options.options([
            ("default_transaction_isolation", "read committed".to_owned()),
            ("timezone", "UTC".to_owned()),
            ("statement_timeout", STATEMENT_TIMEOUT.as_millis().to_string()),
            ("lock_timeout", LOCK_TIMEOUT.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION.as_millis().to_string()),
        ])
    };
    Ok(Read { options, max_connections: parsed.max_connections, is_pooled })
}

pub(super) async fn connect(url: &str, opening: Opening) -> Result<Connections, CannotConnect> {
    let Read { options, max_connections, is_pooled } = read(url)?;
    if opening != Opening::Later {
        check_encoding(&options).await?;
    }
    // One to listen and one to read what is told. Behind a pooler nobody knows on which connection it
    // would be told.
    let aside = pool::<Postgres>(if is_pooled { 1 } else { 2 }).connect_lazy_with(options.clone());
    let growth = (!is_pooled).then(|| Arc::new(Growth::new(aside.clone())));
    let one: DatabaseConnection =
        pool::<Postgres>(max_connections).connect_lazy_with(options).into();
    Ok(Connections { is_pooled, growth, aside: aside.into(), ..one.into() })
}

/// Refuses a database that cannot hold every name. It also shows that the server is there and lets this program
/// in.
async fn check_encoding(options: &PgConnectOptions) -> Result<(), CannotConnect> {
    let mut connection = answered(options.connect()).await?;
    // A pooler lets clients in while its server is away, and answers the first statement itself.
    let encoding = answered_as(DbErr::Query, async {
        let row = connection.fetch_one("SHOW server_encoding").await?;
        connection.close().await?;
        row.try_get::<String, _>(0)
    });
    match encoding.await?.as_str() {
        "UTF8" => Ok(()),
        other => Err(format!(
            "its encoding is {other}, which cannot hold every name: make it with CREATE DATABASE … \
             ENCODING 'UTF8' TEMPLATE template0"
        )
        .into()),
    }
}

/// Takes `pooler` out of a URL.
fn pooler(url: &str) -> Result<(String, bool), String> {
    let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (ours, kept): (Vec<_>, Vec<_>) =
        parameters.split('&').partition(|parameter| parameter.starts_with("pooler="));
    if ours.iter().any(|parameter| *parameter != "pooler=transaction") {
        return Err("pooler must be transaction; leave it out where there is none".to_owned());
    }
    let is_pooled = !ours.is_empty();
    if is_pooled && kept.iter().any(|parameter| parameter.starts_with("options")) {
        return Err("a pooler takes no options: set them with ALTER ROLE".to_owned());
    }
    Ok((format!("{base}?{}", kept.join("&")), is_pooled))
}
