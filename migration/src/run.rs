//! The lock that lets only one program at a time migrate a database.

use sea_orm_migration::SchemaManager;
#[cfg(feature = "postgres")]
use sea_orm_migration::sea_orm::sqlx::ConnectOptions;
#[cfg(feature = "mysql")]
use sea_orm_migration::sea_orm::sqlx::mysql::MySqlPoolOptions;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

/// The key of the advisory lock on PostgreSQL. Other applications are unlikely to use the same number.
const POSTGRES_LOCK: i64 = i64::from_be_bytes(*b"Counters");

/// The name of the lock on MySQL, as an SQL expression. It contains the name of the database, since a server
/// has one list of locks for all its databases.
#[cfg(feature = "mysql")]
const MYSQL_LOCK: &str = "CONCAT('countersign ', MD5(DATABASE()))";

/// The timeout of the lock: a year, since MariaDB has no way to wait without a limit.
#[cfg(feature = "mysql")]
const MYSQL_PATIENCE: u32 = 31_536_000;

/// A run of migrations, which holds the lock until it ends.
pub(crate) enum Run {
    /// A transaction, which takes effect as a whole or not at all.
    Transaction(DatabaseTransaction),
    /// A connection to MySQL. A transaction could not hold the lock, since MySQL commits each statement that
    /// changes the schema. When the connection ends in any way, the server releases the lock.
    #[cfg(feature = "mysql")]
    Connection(DatabaseConnection),
}

/// Begins a transaction. If the connection keeps no prepared statements, it may go through a pooler. Another
/// client may have left prepared statements of the same names on the pooler's connection: this removes them.
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
    /// Begins a run, after any other run has ended.
    pub(crate) async fn begin(db: &DatabaseConnection) -> Result<Self, DbErr> {
        match db.get_database_backend() {
            #[cfg(feature = "mysql")]
            DbBackend::MySql => Self::with_own_connection(db).await,
            DbBackend::Postgres => {
                let transaction = begin_unprepared(db).await?;
                // The timeouts are meant for requests. A migration may take longer.
                let lock = format!(
                    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                     SET LOCAL idle_in_transaction_session_timeout = 0; \
                     SELECT pg_advisory_xact_lock({POSTGRES_LOCK})"
                );
                transaction.execute_unprepared(&lock).await?;
                Ok(Self::Transaction(transaction))
            }
            _ => {
                // An immediate transaction waits for the writer before it. A deferred one fails when it
                // writes after reading, if another program has written in between.
                let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
                let options = TransactionOptions { sqlite_transaction_mode, ..Default::default() };
                Ok(Self::Transaction(db.begin_with_options(options).await?))
            }
        }
    }

    #[cfg(feature = "mysql")]
    async fn with_own_connection(db: &DatabaseConnection) -> Result<Self, DbErr> {
        // The connections of the pool would give up after a few seconds, so this one is separate.
        let options = db.get_mysql_connection_pool().connect_options();
        let pool = MySqlPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let own: DatabaseConnection = pool.connect_lazy_with((*options).clone()).into();
        // Waits also for a killed program whose last statement the server still executes.
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

    /// Commits the run, and releases the lock for the next one.
    pub(crate) async fn end(self) -> Result<(), DbErr> {
        match self {
            Self::Transaction(transaction) => transaction.commit().await,
            #[cfg(feature = "mysql")]
            Self::Connection(connection) => connection.close().await,
        }
    }
}
