//! MySQL and MariaDB.

use sea_orm::DatabaseConnection;
use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sea_orm::sqlx::{self, ConnectOptions, Connection, MySql};

use super::options::{CannotConnect, Connections, Opening};
use super::server::{answered, parse, pool, unbracketed, unread};
use super::tls;
use crate::limits::{IDLE_IN_TRANSACTION, LOCK_TIMEOUT, STATEMENT_TIMEOUT};

const PARAMETERS: [&str; 5] = ["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket"];

/// Checks a URL without connecting.
pub(super) fn check(url: &str) -> Result<(), String> {
    read(url).map(drop)
}

/// Returns what a URL says, and the most connections.
fn read(url: &str) -> Result<(MySqlConnectOptions, u32), String> {
    let parsed = parse(url, &PARAMETERS)?;
    let options = parsed.url.parse::<MySqlConnectOptions>();
    let options = options.map_err(|error| unread(&error, "mysql"))?;
    let checks =
        matches!(options.get_ssl_mode(), MySqlSslMode::VerifyCa | MySqlSslMode::VerifyIdentity);
    tls::check_files(&parsed.url, (!checks).then_some("ssl-mode=VERIFY_IDENTITY"))?;
    let host = unbracketed(options.get_host());
    let options = options.host(&host);
    let options =
        options.charset("utf8mb4").timezone(Some("+00:00".to_owned())).disable_statement_logging();
    Ok((options, parsed.max_connections))
}

pub(super) async fn connect(url: &str, opening: Opening) -> Result<Connections, CannotConnect> {
    let (options, max_connections) = read(url)?;
    if opening != Opening::Later {
        // Shows that the server is there and lets this program in.
        answered(async { options.connect().await?.close().await }).await?;
    }
    let connections = |count| {
        let pool = pool::<MySql>(count).after_connect(|connection, _| Box::pin(set_up(connection)));
        DatabaseConnection::from(pool.connect_lazy_with(options.clone()))
    };
    Ok(Connections { aside: connections(1), ..connections(max_connections).into() })
}

/// Sets a connection up. A statement after a lock must see what was committed before it, so no snapshot is
/// kept.
async fn set_up(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let version: String =
        sqlx::query_scalar("SELECT VERSION()").fetch_one(&mut *connection).await?;
    // MySQL limits only statements that read, and ends no transaction that stands still: there, the whole
    // connection ends, which the pool notices before it is used again.
    let idle = IDLE_IN_TRANSACTION.as_secs();
    let statement_timeout = if version.contains("MariaDB") {
        let most = STATEMENT_TIMEOUT.as_secs();
        format!("max_statement_time = {most}, idle_transaction_timeout = {idle}")
    } else {
        let most = STATEMENT_TIMEOUT.as_millis();
        format!("max_execution_time = {most}, wait_timeout = {}", idle * 6)
    };
    let lock_timeout = LOCK_TIMEOUT.as_secs();
    let settings = format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET SESSION {statement_timeout}, innodb_lock_wait_timeout = {lock_timeout}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(settings)).execute(connection).await.map(drop)
}
