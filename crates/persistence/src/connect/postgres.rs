//! PostgreSQL.

use std::time::Duration;

use sea_orm::DatabaseConnection;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{ConnectOptions, Postgres};

use super::server::{LOCK_TIMEOUT, STATEMENT_TIMEOUT, greet, parse, pool};
use super::{Connections, Refusal, Server};

const PARAMETERS: [&str; 6] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "options"];

/// A client that is gone without a word keeps its locks for no longer.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

pub(super) async fn connect(url: &str, server: Server) -> Result<Connections, Refusal> {
    let parsed = parse(url, &PARAMETERS)?;
    let options = parsed.url.parse::<PgConnectOptions>().map_err(|error| error.to_string())?;
    let options = options
        .application_name("countersign")
        .options([
            ("default_transaction_isolation", "read committed".to_owned()),
            ("timezone", "UTC".to_owned()),
            ("statement_timeout", STATEMENT_TIMEOUT.as_millis().to_string()),
            ("lock_timeout", LOCK_TIMEOUT.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION.as_millis().to_string()),
        ])
        .disable_statement_logging();
    if server == Server::Now {
        greet(&options).await?;
    }
    let one: DatabaseConnection =
        pool::<Postgres>(parsed.max_connections).connect_lazy_with(options).into();
    Ok(Connections { reader: one.clone(), writer: one })
}
