//! One program at a time moves the schema of a database.

use sea_orm_migration::SchemaManager;
#[cfg(feature = "postgres")]
use sea_orm_migration::sea_orm::sqlx::ConnectOptions;
#[cfg(feature = "mysql")]
use sea_orm_migration::sea_orm::sqlx::mysql::MySqlPoolOptions;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

/// The key of PostgreSQL's lock: `Countersign` as nobody else would number theirs.
const POSTGRES_LOCK: i64 = i64::from_be_bytes(*b"Counters");

/// The name of MySQL's lock. The server has one list of names for all its databases.
#[cfg(feature = "mysql")]
const MYSQL_LOCK: &str = "CONCAT('countersign ', MD5(DATABASE()))";

/// A year, which is for ever; MariaDB knows no word for that.
#[cfg(feature = "mysql")]
const MYSQL_PATIENCE: u32 = 31_536_000;

/// The right to move the schema, which nobody else has until it ends.
pub(crate) enum Run {
    /// Takes effect as a whole or not at all.
    Transaction(DatabaseTransaction),
    /// MySQL commits whatever changes the schema, so that its lock is one of a connection. It goes
    /// with the connection, however that ends.
    #[cfg(feature = "mysql")]
    Connection(DatabaseConnection),
}

/// Begins a transaction. A connection that keeps no prepared statements is one to a pooler, which may
/// answer with a connection on which somebody else has left some, of the names that come next.
pub(crate) async fn begin_unprepared(
    db: &DatabaseConnection,
) -> Result<DatabaseTransaction, DbErr> {
    let transaction = db.begin().await?;
    #[cfg(feature = "postgres")]
    if db.get_database_backend() == DbBackend::Postgres {
        let url = db.get_postgres_connection_pool().connect_options().to_url_lossy();
        let kept = url.query_pairs().find(|(name, _)| name == "statement-cache-capacity");
        if kept.is_some_and(|(_, capacity)| capacity == "0") {
            transaction.execute_unprepared("DEALLOCATE ALL").await?;
        }
    }
    Ok(transaction)
}

impl Run {
    /// Waits for whoever moves the schema now.
    pub(crate) async fn begin(db: &DatabaseConnection) -> Result<Self, DbErr> {
        match db.get_database_backend() {
            #[cfg(feature = "mysql")]
            DbBackend::MySql => Self::with_own_connection(db).await,
            DbBackend::Postgres => {
                let transaction = begin_unprepared(db).await?;
                // A migration takes as long as it takes, unlike what a request asks.
                let lock = format!(
                    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                     SET LOCAL idle_in_transaction_session_timeout = 0; \
                     SELECT pg_advisory_xact_lock({POSTGRES_LOCK})"
                );
                transaction.execute_unprepared(&lock).await?;
                Ok(Self::Transaction(transaction))
            }
            _ => {
                // The immediate kind waits for the writer before it, where the ordinary kind fails
                // as soon as it turns from reading to writing.
                let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
                let options = TransactionOptions { sqlite_transaction_mode, ..Default::default() };
                Ok(Self::Transaction(db.begin_with_options(options).await?))
            }
        }
    }

    #[cfg(feature = "mysql")]
    async fn with_own_connection(db: &DatabaseConnection) -> Result<Self, DbErr> {
        // Not one of the pool's: those give up after a few seconds.
        let options = db.get_mysql_connection_pool().connect_options();
        let pool = MySqlPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let own: DatabaseConnection = pool.connect_lazy_with((*options).clone()).into();
        // Another program may have been killed in the middle of what the server still works on.
        let lock = format!("DO GET_LOCK({MYSQL_LOCK}, {MYSQL_PATIENCE})");
        own.execute_unprepared(&lock).await?;
        Ok(Self::Connection(own))
    }

    pub(crate) fn schema(&self) -> SchemaManager<'_> {
        match self {
            Self::Transaction(transaction) => SchemaManager::new(transaction),
            #[cfg(feature = "mysql")]
            Self::Connection(connection) => SchemaManager::new(connection),
        }
    }

    /// Makes what was done last, and lets the next one in.
    pub(crate) async fn end(self) -> Result<(), DbErr> {
        match self {
            Self::Transaction(transaction) => transaction.commit().await,
            #[cfg(feature = "mysql")]
            Self::Connection(connection) => connection.close().await,
        }
    }
}
