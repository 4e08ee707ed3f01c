//! A call of the store: its statements, and how long they may take.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use countersign_domain::StoreError;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseConnectionType, DbBackend, DbErr,
    ExecResult, QueryResult, RuntimeErr, Statement,
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{is_conflict, unavailable};
use crate::limits::CALL_TIMEOUT;

/// How often a change is tried that the database rolls back in favour of another, and by how much longer it
/// waits each time: a second in all.
pub(crate) const TRIES: u32 = 20;
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// When a call has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    /// At a moment, with all its statements.
    At(Instant),
    /// Whenever one of its statements takes so long.
    OfStatement(Duration),
}

impl Deadline {
    /// Returns the deadline of a call that begins now.
    pub(crate) fn of_call() -> Self {
        Self::At(Instant::now() + CALL_TIMEOUT)
    }

    async fn bound<T>(self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let at = match self {
            Self::At(at) => at,
            Self::OfStatement(patience) => Instant::now() + patience,
        };
        tokio::time::timeout_at(at, work).await.unwrap_or_else(|_| {
            let late =
                io::Error::new(io::ErrorKind::TimedOut, "the database did not answer in time");
            Err(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Io(late)))))
        })
    }
}

#[derive(Debug)]
enum Held {
    #[cfg(feature = "sqlite")]
    Sqlite(PoolConnection<sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(PoolConnection<sqlx::Postgres>),
    #[cfg(feature = "mysql")]
    MySql(PoolConnection<sqlx::MySql>),
}

/// Does the same with a connection of any kind.
macro_rules! with {
    ($held:expr, $connection:ident => $done:expr) => {
        match $held {
            #[cfg(feature = "sqlite")]
            Held::Sqlite($connection) => $done,
            #[cfg(feature = "postgres")]
            Held::Postgres($connection) => $done,
            #[cfg(feature = "mysql")]
            Held::MySql($connection) => $done,
        }
    };
}

impl Held {
    async fn of(pools: &DatabaseConnection) -> Result<Self, DbErr> {
        let held = match &pools.inner {
            #[cfg(feature = "sqlite")]
            DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                pools.get_sqlite_connection_pool().acquire().await.map(Self::Sqlite)
            }
            #[cfg(feature = "postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                pools.get_postgres_connection_pool().acquire().await.map(Self::Postgres)
            }
            #[cfg(feature = "mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                pools.get_mysql_connection_pool().acquire().await.map(Self::MySql)
            }
            _ => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
        };
        held.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            error => DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))),
        })
    }
}

/// A connection for one call, which its statements share.
///
/// When the caller or the deadline gives up a statement, nobody knows what the server will answer next on
/// its connection, or what it has begun. That connection is closed and serves no other call.
#[derive(Debug)]
pub(crate) struct Call {
    held: Mutex<Option<Held>>,
    backend: DbBackend,
    /// Whether a pooler stands before the server. It may answer each message outside of a transaction on
    /// another connection, so nothing is asked there, and nothing is prepared under a name.
    is_pooled: bool,
    deadline: Deadline,
    /// A statement has not been answered.
    waits: AtomicBool,
    in_transaction: AtomicBool,
}

impl Call {
    pub(crate) async fn on(
        connection: &DatabaseConnection,
        is_pooled: bool,
        deadline: Deadline,
    ) -> Result<Self, DbErr> {
        let held = deadline.bound(Held::of(connection)).await?;
        Ok(Self {
            is_pooled,
            held: Mutex::new(Some(held)),
            backend: connection.get_database_backend(),
            deadline,
            waits: AtomicBool::new(false),
            in_transaction: AtomicBool::new(false),
        })
    }

    /// Begins a transaction. On SQLite it takes the lock at once: a transaction that first reads and is
    /// then refused the lock fails without waiting for its turn.
    async fn begin(&self) -> Result<(), DbErr> {
        self.in_transaction.store(true, Ordering::Relaxed);
        #[cfg(feature = "postgres")]
        if self.is_pooled {
            let begin = crate::connect::postgres::pooled_begin();
            return self.execute_unprepared(&begin).await.map(drop);
        }
        let begin = if self.backend == DbBackend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.execute_unprepared(begin).await.map(drop)
    }

    /// Asks within a transaction where a pooler needs one.
    async fn within<T>(
        &self,
        question: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        if !self.is_pooled || self.in_transaction.load(Ordering::Relaxed) {
            return question.await;
        }
        self.begin().await?;
        match question.await {
            Ok(answer) => self.end("COMMIT").await.map(|()| answer),
            Err(error) => {
                // A transaction that cannot be rolled back ends with its connection.
                self.end("ROLLBACK").await.ok();
                Err(error)
            }
        }
    }

    /// Makes a change in a transaction, as a whole or not at all. Runs `work` again when the database
    /// rolled it back in favour of another transaction.
    pub(crate) async fn whole<T, F>(&self, work: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut tries = 1;
        loop {
            self.begin().await.map_err(unavailable)?;
            let done = match work().await {
                Ok(done) => self.end("COMMIT").await.map_err(unavailable).map(|()| done),
                Err(error) => Err(error),
            };
            let Err(error) = done else { return done };
            // A transaction that cannot be rolled back ends with its connection.
            let is_clean = self.end("ROLLBACK").await.is_ok();
            if !is_clean || tries == TRIES || !is_conflict(&error) {
                return Err(error);
            }
            tokio::time::sleep(PAUSE * tries).await;
            tries += 1;
        }
    }

    /// Begins to read one state of the database, whatever others write meanwhile. Some settings apply to
    /// the connection, which serves no other call afterwards.
    pub(crate) async fn begin_to_read(&self) -> Result<(), DbErr> {
        let begin = match self.backend {
            DbBackend::Postgres => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                 SET LOCAL statement_timeout = 0"
            }
            // MariaDB alone reads the first kind of comment, MySQL alone the second.
            DbBackend::MySql => {
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                 SET SESSION autocommit = 1 /*M! , max_statement_time = 0, idle_transaction_timeout = 0 */ \
                 /*!80000 , max_execution_time = 0, wait_timeout = 28800 */; \
                 START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
            }
            _ => "BEGIN",
        };
        self.in_transaction.store(true, Ordering::Relaxed);
        self.execute_unprepared(begin).await.map(drop)
    }

    /// Ends what [`begin_to_read`](Self::begin_to_read) began, now and not when the connection is closed.
    pub(crate) async fn end_reading(self) {
        // Where this fails, it ends with the connection.
        self.execute_unprepared("COMMIT").await.ok();
    }

    async fn end(&self, how: &str) -> Result<(), DbErr> {
        self.execute_unprepared(how).await?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Makes a change in a transaction of a store until a deadline, with [`Call::whole`], and says that its
/// record waits for its place in the trail. A macro, because the
/// compiler cannot prove of an async closure that its future may move between threads.
macro_rules! transaction {
    ($store:expr, $until:expr, |$change:ident| $work:expr) => {{
        let $change = &$store.write($until).await?;
        let done = $change.whole(|| async move { $work }).await;
        if done.is_ok() {
            $store.note_written();
        }
        done
    }};
}
pub(crate) use transaction;

/// Runs a statement on the connection of a call, and notes while it has no answer.
macro_rules! ask {
    ($call:expr, $kind:path, $connection:ident => $question:expr) => {{
        let mut held = $call.held.lock().await;
        let Some(held) = held.as_mut() else {
            return Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed));
        };
        let answer = async {
            $call.waits.store(true, Ordering::Relaxed);
            let answer = with!(held, $connection => $question);
            $call.waits.store(false, Ordering::Relaxed);
            answer.map_err(|error: sqlx::Error| $kind(RuntimeErr::SqlxError(Arc::new(error))))
        };
        $call.deadline.bound(answer).await
    }};
}

#[async_trait]
impl ConnectionTrait for Call {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (sql, values) = parts(statement);
        self.within(async move {
            ask!(self, DbErr::Exec, connection => {
                let question = sqlx::query_with(sql, values).persistent(!self.is_pooled);
                question.execute(&mut **connection).await.map(ExecResult::from)
            })
        })
        .await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = AssertSqlSafe(sql.to_owned());
        ask!(self, DbErr::Exec, connection => {
            sqlx::raw_sql(sql).execute(&mut **connection).await.map(ExecResult::from)
        })
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        self.within(async move {
            ask!(self, DbErr::Query, connection => {
                let question = sqlx::query_with(sql, values).persistent(!self.is_pooled);
                let row = question.fetch_optional(&mut **connection).await;
                row.map(|row| row.map(QueryResult::from))
            })
        })
        .await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        self.within(async move {
            ask!(self, DbErr::Query, connection => {
                let question = sqlx::query_with(sql, values).persistent(!self.is_pooled);
                let rows = question.fetch_all(&mut **connection).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            })
        })
        .await
    }
}

/// Splits a statement. sea-query makes the text; all input from outside is among the values.
fn parts(statement: Statement) -> (AssertSqlSafe<String>, SqlxValues) {
    let values = statement.values.unwrap_or_else(|| sea_orm::Values(Vec::new()));
    (AssertSqlSafe(statement.sql), SqlxValues(values))
}

impl Drop for Call {
    fn drop(&mut self) {
        let Some(held) = self.held.get_mut().take() else { return };
        match held {
            // SQLite finishes one command after the other, even if nobody waits, and a database in
            // memory would go with its connection.
            #[cfg(feature = "sqlite")]
            Held::Sqlite(mut connection) => {
                if *self.in_transaction.get_mut() {
                    tokio::spawn(async move {
                        // There is nothing to roll back if it had not begun or had ended.
                        sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await.ok();
                    });
                }
            }
            #[cfg(feature = "postgres")]
            Held::Postgres(mut connection) => {
                if *self.waits.get_mut() || *self.in_transaction.get_mut() {
                    connection.close_on_drop();
                } else {
                    give_back(connection.return_to_pool());
                }
            }
            #[cfg(feature = "mysql")]
            Held::MySql(mut connection) => {
                if *self.waits.get_mut() || *self.in_transaction.get_mut() {
                    connection.close_on_drop();
                } else {
                    give_back(connection.return_to_pool());
                }
            }
        }
    }
}

/// Gives a connection back. The pool first checks it, which would wait without end on a server that no
/// longer answers, and the connection's place would be lost.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn give_back(returning: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(tokio::time::timeout(CALL_TIMEOUT, returning));
}
