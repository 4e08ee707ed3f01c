//! What a database reports, in the words of the port.

use countersign_domain::StoreError;
use countersign_domain::store::Field;
use sea_orm::sqlx;
use sea_orm::{DbErr, EntityTrait, IdenStatic, Iterable, RuntimeErr, SqlErr};

use crate::metrics::{self, ErrorKind};

pub(crate) fn unavailable(error: DbErr) -> StoreError {
    metrics::count(ErrorKind::of(&error));
    StoreError::Unavailable(Box::new(error))
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
