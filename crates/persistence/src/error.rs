//! What a database reports, in the words of the port.

use std::io;

use countersign_domain::StoreError;
use countersign_domain::store::Field;
use sea_orm::sqlx;
use sea_orm::{DbErr, EntityTrait, IdenStatic, Iterable, RuntimeErr, SqlErr};

use crate::metrics::{self, ErrorKind};

/// What a database says of an error besides its text.
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
    /// A deadlock, or a row that another has changed in the meantime.
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

    /// Somebody else holds what this needs.
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

    /// The server starts or stops, or has no connection left.
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

    /// The answer of PgBouncer to a statement for which it has no server. It refuses a client that it
    /// does not like in the same words.
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

    /// The server gave up a statement that took too long.
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

/// What a driver reports, beneath the words of the layers above it.
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

/// Whether nothing is wrong but that the server cannot be reached, or lets nobody in for now.
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

/// Whether it is what a server and a client said to each other to agree on TLS, such as a certificate
/// that does not convince. The driver reports it as an error of the network.
pub(crate) fn is_tls(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

pub(crate) fn unavailable(error: DbErr) -> StoreError {
    metrics::count(ErrorKind::of(&error));
    StoreError::Unavailable(Box::new(error))
}

/// Whether the database took a transaction back in favour of another, so that it may be tried anew.
pub(crate) fn is_conflict(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    source.downcast_ref::<DbErr>().and_then(code).is_some_and(Code::is_conflict)
}

/// The error of a new user's row. Which key was violated is known by name alone: the name of the
/// column is part of the name of the key, and one of them is part of what every database reports.
pub(crate) fn not_inserted(error: DbErr) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(key)) if key.contains("email_canonical") => {
            StoreError::Taken(Field::Email)
        }
        _ => unavailable(error),
    }
}

/// The error of reading rows of one entity.
pub(crate) fn unread<E: EntityTrait>(error: DbErr) -> StoreError {
    unread_as::<E>("", error).unwrap_or_else(unavailable)
}

/// The error of reading rows of two entities at once.
pub(crate) fn unread_two<A: EntityTrait, B: EntityTrait>(error: DbErr) -> StoreError {
    unread_as::<A>("A_", error)
        .or_else(|error| unread_as::<B>("B_", error))
        .unwrap_or_else(unavailable)
}

/// The error of a value of `E` whose type is not its column's, where the names of the columns in
/// the result begin with `prefix`; or else the error as it was.
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

/// The error of a value that is none of the domain's.
pub(crate) fn corrupt<S>(table: &'static str, column: &'static str) -> impl Fn(S) -> StoreError
where
    S: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| {
        metrics::count(ErrorKind::Corrupt);
        StoreError::Corrupt { table, column, source: source.into() }
    }
}
