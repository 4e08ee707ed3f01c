use std::sync::Arc;

use async_trait::async_trait;
use countersign_domain::{AuditEntry, Clock, Duration, Store, StoreError};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QuerySelect};

use crate::audit::append;
use crate::call::Deadline;
use crate::clock::ServerClock;
use crate::connect::{ConnectError, Connections, Server, connect};
use crate::entity::{with_each_growing_table, with_each_table};
use crate::error::{self, unavailable};
#[cfg(feature = "postgres")]
use crate::growth::Growth;

/// A database of all that Countersign saves.
///
/// What a method has answered for is on the disk. Reading waits for no writer; writers wait for
/// each other, in this program and in others. Each method ends within five seconds, if need be with
/// [`StoreError::Unavailable`]. A clone is the same database.
#[derive(Clone, Debug)]
pub struct Database(Connections);

impl Database {
    /// Connects to a database, which `countersign-migration` then brings up to date.
    ///
    /// - `sqlite://PATH` or `sqlite:PATH` is a file that exists; with `?mode=rwc` it is made when
    ///   it does not, readable by its owner alone. `%20` and its like in a path are decoded.
    /// - `sqlite::memory:` is gone with the program.
    /// - `postgres://USER:PASSWORD@HOST:PORT/DATABASE` is a database of PostgreSQL, and
    ///   `mysql://USER:PASSWORD@HOST:PORT/DATABASE` one of MySQL or MariaDB. `docs/databases.md` says
    ///   which parameters there are, such as those for TLS.
    ///
    /// Each of the three comes with the feature of its name: `sqlite`, `postgres`, `mysql`.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says in one line what is wrong.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let database = connect(url, Server::Now).await.map(Self)?;
        // If not now, it is read by whoever follows it.
        database.read_clock().await.ok();
        Ok(database)
    }

    /// As [`connect`](Self::connect), but a server need not be there yet: until it is, each method
    /// ends with [`StoreError::Unavailable`]. A file must be there at once all the same.
    ///
    /// # Errors
    ///
    /// As those of [`connect`](Self::connect) that do not come from a server.
    pub async fn connect_later(url: &str) -> Result<Self, ConnectError> {
        connect(url, Server::Later).await.map(Self)
    }

    /// Whether an error, such as that of a migration, may pass by itself: the server cannot be reached,
    /// or lets nobody in for now.
    pub fn is_away(error: &DbErr) -> bool {
        error::is_away(error)
    }

    /// Countersign's tables in a database that an application has connected to by itself, and which
    /// `countersign-migration` has brought up to date. For an application that keeps some of what a
    /// store holds in tables of its own.
    pub fn over(connection: DatabaseConnection) -> Self {
        Self(connection.into())
    }

    /// Appends an entry to the audit trail within a transaction of the application's, so that a
    /// change in its own tables is written down when, and only when, it is made. On SQLite that
    /// transaction must have begun as an immediate one.
    ///
    /// # Errors
    ///
    /// When nothing was appended.
    pub async fn append(
        transaction: &impl ConnectionTrait,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        append(transaction, entry).await
    }

    /// The connection that writes, for `countersign-migration`.
    pub fn connection(&self) -> &DatabaseConnection {
        self.writer()
    }

    /// Closes the database, for all clones, once what is under way is done.
    pub async fn close(self) {
        // The last connection to close folds the write-ahead log into the file, which only the
        // writer can do. Closing a pool cannot fail.
        self.close_aside().await;
        self.0.reader.close().await.ok();
        self.0.writer.close().await.ok();
    }

    async fn close_aside(&self) {
        #[cfg(feature = "postgres")]
        if let Some(growth) = &self.0.growth {
            return growth.close().await;
        }
        self.0.aside.close_by_ref().await.ok();
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.0
    }

    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.0.reader
    }

    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.0.writer
    }

    pub(crate) fn is_pooled(&self) -> bool {
        self.0.is_pooled
    }

    pub(crate) fn server_clock(&self) -> &Arc<ServerClock> {
        &self.0.clock
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn growth(&self) -> Option<&Growth> {
        self.0.growth.as_deref()
    }
}

#[async_trait]
impl Store for Database {
    async fn ready(&self) -> Result<(), StoreError> {
        self.knows_the_time().await?;
        // Names every column and reads no row.
        let db = &self.read(Deadline::of_call()).await?;
        with_each_table!(Table => Table::find().limit(0).all(db).await.map_err(unavailable)?);
        Ok(())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(self.server_clock()) as Arc<dyn Clock>
    }

    async fn read_clock(&self) -> Result<Option<Duration>, StoreError> {
        self.read_server_clock().await
    }
}
