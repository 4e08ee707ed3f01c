//! What a database reports, in the words of the port.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_domain::{Field, StoreError};
use sea_orm::sqlx;
use sea_orm::{DbErr, EntityTrait, IdenStatic, Iterable, RuntimeErr, SqlErr};

/// The code that a database gives an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The primary result code of SQLite.
    #[cfg(feature = "sqlite")]
    Sqlite(u32),
    /// The SQLSTATE of PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres([u8; 5]),
    /// The error number of MySQL and MariaDB.
    #[cfg(feature = "mysql")]
    MySql(u16),
}

impl Code {
    /// Returns whether it is a deadlock, or a row that another transaction has changed meanwhile.
    fn is_conflict(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(state) => matches!(&state, b"40P01" | b"40001"),
            #[cfg(feature = "mysql")]
            Self::MySql(number) => matches!(number, 1020 | 1213),
        }
    }

    /// Returns whether another transaction holds a lock that this one needs.
    pub(crate) fn is_locked(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(code) => matches!(code, 5 | 6),
            #[cfg(feature = "postgres")]
            Self::Postgres(state) => &state == b"55P03" || self.is_conflict(),
            #[cfg(feature = "mysql")]
            Self::MySql(number) => number == 1205 || self.is_conflict(),
        }
    }

    /// Returns whether the server is starting or stopping, or has no connection left.
    fn is_passing(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(state) => {
                matches!(&state, b"53300" | b"57P01" | b"57P02" | b"57P03")
            }
            #[cfg(feature = "mysql")]
            Self::MySql(number) => matches!(number, 1040 | 1053 | 1203),
        }
    }

    /// Returns whether PgBouncer has no server for a statement. It refuses a client with the same code.
    fn is_poolers(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(state) => &state == b"08P01",
            #[cfg(feature = "mysql")]
            Self::MySql(_) => false,
        }
    }

    /// Returns whether the server cancelled a statement that took too long.
    pub(crate) fn is_late(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(state) => &state == b"57014",
            #[cfg(feature = "mysql")]
            Self::MySql(number) => matches!(number, 1969 | 3024),
        }
    }
}

/// Returns the error of the driver, beneath those of the layers above it.
pub(crate) fn driver(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

pub(crate) fn code(error: &DbErr) -> Option<Code> {
    let error = driver(error)?.as_database_error()?;
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return Some(Code::MySql(error.number()));
    }
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return error.code().as_bytes().try_into().ok().map(Code::Postgres);
    }
    #[cfg(feature = "sqlite")]
    if let Some(code) = error.code().and_then(|code| code.parse::<u32>().ok()) {
        return Some(Code::Sqlite(code & 0xff));
    }
    None
}

/// What failed about a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// No connection was free in time.
    NoConnection,
    /// Somebody else wrote for too long, or what was to be written met with it.
    Locked,
    /// The database did not answer in time.
    Timeout,
    /// A row holds what it cannot hold.
    Corrupt,
    /// Anything else, such as a full disk.
    Other,
}

/// The errors of all databases of a process. They are counted together, since an error is made where no
/// database is at hand.
static ERRORS: [AtomicU64; ErrorKind::ALL.len()] =
    [const { AtomicU64::new(0) }; ErrorKind::ALL.len()];

impl ErrorKind {
    pub(crate) const ALL: [Self; 5] =
        [Self::NoConnection, Self::Locked, Self::Timeout, Self::Corrupt, Self::Other];

    pub(crate) fn of(error: &DbErr) -> Self {
        if matches!(error, DbErr::ConnectionAcquire(_)) {
            return Self::NoConnection;
        }
        match (driver(error), code(error)) {
            (_, Some(code)) if code.is_locked() => Self::Locked,
            (_, Some(code)) if code.is_late() => Self::Timeout,
            (Some(sqlx::Error::Io(error)), _) if error.kind() == io::ErrorKind::TimedOut => {
                Self::Timeout
            }
            _ => Self::Other,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoConnection => "no_connection",
            Self::Locked => "locked",
            Self::Timeout => "timeout",
            Self::Corrupt => "corrupt",
            Self::Other => "other",
        }
    }

    /// Counts an error of this kind.
    fn note(self) {
        if let Some(errors) = ERRORS.get(self as usize) {
            errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many errors of this kind there were.
    pub(crate) fn count(self) -> u64 {
        ERRORS.get(self as usize).map_or(0, |errors| errors.load(Ordering::Relaxed))
    }
}

/// Returns whether the only problem is that the server cannot be reached, or lets nobody in for now.
pub(crate) fn is_away(error: &DbErr) -> bool {
    match driver(error) {
        Some(sqlx::Error::Io(error)) => !is_tls(error),
        Some(_) => {
            let is_statements = !matches!(error, DbErr::Conn(_));
            code(error).is_some_and(|code| code.is_passing() || is_statements && code.is_poolers())
        }
        None => matches!(error, DbErr::ConnectionAcquire(_)),
    }
}

/// Returns whether the error comes from the TLS handshake, such as a certificate that is not trusted. The
/// driver reports it as a network error.
pub(crate) fn is_tls(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

pub(crate) fn unavailable(error: DbErr) -> StoreError {
    ErrorKind::of(&error).note();
    StoreError::Unavailable(Box::new(error))
}

/// Returns whether the database rolled a transaction back in favour of another, so that it may be tried
/// again.
pub(crate) fn is_conflict(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    source.downcast_ref::<DbErr>().and_then(code).is_some_and(Code::is_conflict)
}

/// Returns the error of a new user's row. Only the name of the violated key tells which one it was: every
/// database reports the name of the key or of its column, which is a part of it.
pub(crate) fn not_saved(error: DbErr) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(key)) if key.contains("email_canonical") => {
            StoreError::Taken(Field::Email)
        }
        _ => unavailable(error),
    }
}

/// Returns the error of reading rows of one entity.
pub(crate) fn unread<E: EntityTrait>(error: DbErr) -> StoreError {
    unread_as::<E>("", error).unwrap_or_else(unavailable)
}

/// Returns the error of reading rows of two entities at once.
pub(crate) fn unread_two<A: EntityTrait, B: EntityTrait>(error: DbErr) -> StoreError {
    unread_as::<A>("A_", error)
        .or_else(|error| unread_as::<B>("B_", error))
        .unwrap_or_else(unavailable)
}

/// Returns the error of a value of `E` that does not have the type of its column, where the names of the
/// columns in the result begin with `prefix`. Any other error is returned as it was.
fn unread_as<E: EntityTrait>(prefix: &str, error: DbErr) -> Result<StoreError, DbErr> {
    let DbErr::Query(RuntimeErr::SqlxError(inner)) = &error else {
        return Err(error);
    };
    let sqlx::Error::ColumnDecode { index, .. } = inner.as_ref() else {
        return Err(error);
    };
    let name = index.trim_matches('"').strip_prefix(prefix).unwrap_or_default();
    match E::Column::iter().map(|column| column.as_str()).find(|column| *column == name) {
        Some(column) => Ok(corrupt(E::default().table_name(), column)(error)),
        None => Err(error),
    }
}

/// Returns the error of a value that the domain refuses.
pub(crate) fn corrupt<S>(table: &'static str, column: &'static str) -> impl Fn(S) -> StoreError
where
    S: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| {
        ErrorKind::Corrupt.note();
        StoreError::Corrupt { table, column, source: source.into() }
    }
}
