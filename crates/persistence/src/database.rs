use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_domain::{Duration, StoreError};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait,
    QueryFilter, QuerySelect, QueryTrait, TryGetableMany, Value,
};
use tokio::sync::Notify;

use crate::call::{Call, Deadline, PAUSE, TRIES};
use crate::clock::ServerClock;
use crate::connect::options::{ConnectError, Connections, Opening};
use crate::connect::{self, connect};
use crate::error::{self, is_conflict, unavailable};
#[cfg(feature = "postgres")]
use crate::growth::Growth;
use crate::limits::LONG_STATEMENT_TIMEOUT;

/// A database of all that Countersign saves.
///
/// What a method has answered for is on the disk. Reading waits for no writer; writers wait for
/// each other, in this program and in others. Each method ends within five seconds, if need be with
/// [`StoreError::Unavailable`]. A clone is the same database.
#[derive(Clone, Debug)]
pub struct SqlStore(Connections);

impl SqlStore {
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
        Self::opened(url, Opening::Making).await
    }

    /// Checks that a URL can be read, without connecting.
    ///
    /// # Errors
    ///
    /// When [`connect`](Self::connect) would refuse the URL itself.
    pub fn check_url(url: &str) -> Result<(), ConnectError> {
        connect::check(url)
    }

    /// Looks whether [`connect`](Self::connect) would find what it needs, and changes nothing. Returns what is
    /// not there yet, if anything: a server that does not answer, a file that nobody has put there.
    ///
    /// # Errors
    ///
    /// When something is there that cannot be used.
    pub async fn look(url: &str) -> Result<Option<String>, ConnectError> {
        connect::look(url).await
    }

    /// Connects as [`connect`](Self::connect) does, but never makes a file.
    ///
    /// # Errors
    ///
    /// As those of [`connect`](Self::connect), and when there is no file, whatever the URL says.
    pub async fn find(url: &str) -> Result<Self, ConnectError> {
        Self::opened(url, Opening::Finding).await
    }

    async fn opened(url: &str, opening: Opening) -> Result<Self, ConnectError> {
        let database = connect(url, opening).await.map(Self)?;
        // If this fails, the clock is read later by the program that follows it.
        database.read_server_clock().await.ok();
        Ok(database)
    }

    /// Connects as [`connect`](Self::connect) does, but a server need not be there yet: until it is, each
    /// method ends with [`StoreError::Unavailable`]. A file must be there at once all the same.
    ///
    /// # Errors
    ///
    /// As those of [`connect`](Self::connect) that do not come from a server.
    pub async fn connect_later(url: &str) -> Result<Self, ConnectError> {
        connect(url, Opening::Later).await.map(Self)
    }

    /// Returns whether an error, such as that of a migration, may pass by itself: the server cannot be
    /// reached, or lets nobody in for now.
    pub fn is_away(error: &DbErr) -> bool {
        error::is_away(error)
    }

    /// Takes Countersign's tables in a database that an application has connected to by itself, and which
    /// `countersign-migration` has brought up to date. For an application that keeps some of what a
    /// store holds in tables of its own.
    pub fn over(connection: DatabaseConnection) -> Self {
        Self(connection.into())
    }

    /// Returns the connection that writes, for `countersign-migration`.
    pub fn connection(&self) -> &DatabaseConnection {
        self.writer()
    }

    /// Closes the database, for all clones, once what is under way is done.
    pub async fn close(self) {
        // A command ends before anybody else looks. Where this fails, another process does it.
        if self.0.has_written.load(Ordering::Relaxed) {
            self.seal().await.ok();
        }
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

    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.0.reader
    }

    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.0.writer
    }

    pub(crate) fn server_clock(&self) -> &Arc<ServerClock> {
        &self.0.clock
    }

    /// Tells whoever follows the trail in this process that a record may wait for its place.
    pub(crate) fn note_written(&self) {
        if self.writer().get_database_backend() != DbBackend::Sqlite {
            self.0.has_written.store(true, Ordering::Relaxed);
            self.0.writing.notify_one();
        }
    }

    /// Notes that what waits for its place gets it now.
    pub(crate) fn note_sealed(&self) {
        self.0.has_written.store(false, Ordering::Relaxed);
    }

    /// Returns when the whole queue of the trail was last looked at, in milliseconds since 1970.
    pub(crate) fn last_whole_look(&self) -> &AtomicU64 {
        &self.0.last_whole_look
    }

    pub(crate) fn writing(&self) -> &Notify {
        &self.0.writing
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn growth(&self) -> Option<&Growth> {
        self.0.growth.as_deref()
    }

    /// Returns a connection to read.
    pub(crate) async fn read(&self, until: Deadline) -> Result<Call, StoreError> {
        Call::on(self.reader(), self.0.is_pooled, until).await.map_err(unavailable)
    }

    /// Returns a connection for regular questions of the program's own, which waits for no other call.
    pub(crate) async fn aside(&self, until: Deadline) -> Result<Call, StoreError> {
        Call::on(&self.0.aside, self.0.is_pooled, until).await.map_err(unavailable)
    }

    /// Returns a connection to read the whole database in its present state, for as long as that takes.
    pub(crate) async fn snapshot(&self) -> Result<Call, StoreError> {
        let until = Deadline::OfStatement(LONG_STATEMENT_TIMEOUT);
        let call = Call::on(self.reader(), self.0.is_pooled, until).await.map_err(unavailable)?;
        call.begin_to_read().await.map_err(unavailable)?;
        Ok(call)
    }

    /// Returns a connection to write, with [`Call::whole`].
    pub(crate) async fn write(&self, until: Deadline) -> Result<Call, StoreError> {
        Call::on(self.writer(), self.0.is_pooled, until).await.map_err(unavailable)
    }

    /// Makes a change of one statement. Returns how many rows it changed.
    pub(crate) async fn change_rows(
        &self,
        change: impl QueryTrait + Send,
    ) -> Result<u64, StoreError> {
        let statement = change.build(self.writer().get_database_backend());
        let call = self.write(Deadline::of_call()).await?;
        let mut tries = 1;
        loop {
            match call.execute_raw(statement.clone()).await.map_err(unavailable) {
                Err(error) if tries < TRIES && is_conflict(&error) => {
                    tokio::time::sleep(PAUSE * tries).await;
                    tries += 1;
                }
                done => return done.map(|done| done.rows_affected()),
            }
        }
    }

    /// Removes at most `limit` rows of a condition by their key, and keeps no writer from its work where
    /// there are none, as almost always. Returns how many.
    pub(crate) async fn remove_found<E: EntityTrait, K: TryGetableMany + Into<Value>>(
        &self,
        key: E::Column,
        gone: Condition,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let found = E::find().filter(gone.clone()).limit(u64::from(limit));
        let found = found.select_only().column(key).into_tuple::<K>();
        let found = {
            let call = self.read(Deadline::of_call()).await?;
            found.all(&call).await.map_err(unavailable)?
        };
        if found.is_empty() {
            return Ok(0);
        }
        self.change_rows(E::delete_many().filter(key.is_in(found)).filter(gone)).await
    }

    /// Reads the server's clock. Returns by how much it is ahead of this machine's; `None` where the
    /// database is a file.
    pub(crate) async fn read_server_clock(&self) -> Result<Option<Duration>, StoreError> {
        if self.reader().get_database_backend() == DbBackend::Sqlite {
            return Ok(None);
        }
        let call = self.aside(Deadline::of_call()).await?;
        self.server_clock().read(&call).await
    }
}
