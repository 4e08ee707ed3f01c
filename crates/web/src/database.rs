use countersign_migration::Progress;
use countersign_persistence::{ConnectError, SqlStore};

/// Opens a database of users and sessions whose schema is up to date.
pub struct Database;

/// Why the database cannot be used. Its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database cannot be connected to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The schema cannot be brought up to date.
    #[error("the database's schema cannot be brought up to date: {0}")]
    Migrate(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DatabaseError {
    /// Returns whether the problem may pass by itself: the server cannot be reached, or accepts no
    /// connections for now.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_away(),
            Self::Migrate(error) => error.downcast_ref().is_some_and(SqlStore::is_away),
        }
    }
}

impl Database {
    /// Connects to a database, creates it if there is none, and brings its schema up to date. Several
    /// programs may do so at once.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or migrated.
    pub async fn connect(url: &str) -> Result<SqlStore, DatabaseError> {
        Self::migrated(SqlStore::connect(url).await?).await
    }

    /// Brings the schema of Countersign's tables up to date, as [`connect`](Self::connect) does, in
    /// a database that the application itself has connected to, with [`SqlStore::over`].
    ///
    /// # Errors
    ///
    /// When the database cannot be migrated.
    pub async fn migrated(store: SqlStore) -> Result<SqlStore, DatabaseError> {
        let tell = |Progress { name, number, of, taken }: Progress<'_>| {
            tracing::info!(name, number, of, seconds = taken.as_secs(), "migration goes on");
        };
        let applied = countersign_migration::up_telling(store.connection(), tell).await;
        let applied = applied.map_err(|error| DatabaseError::Migrate(Box::new(error)))?;
        for name in applied {
            tracing::info!(name, "migration applied");
        }
        Ok(store)
    }
}
