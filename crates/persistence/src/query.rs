//! Statements that every database accepts.

use sea_orm::sea_query::{IntoCondition, Query, SelectStatement};
use sea_orm::{ColumnTrait, DeleteMany, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select};

/// Returns the deletion of the rows that a limited query finds. A row is deleted only if it is still
/// `as_found`: another transaction may have changed it in between. The condition also gives MariaDB an
/// index, since it evaluates the subquery for each row.
///
/// This is the only kind of subquery in which MySQL accepts a limit.
pub(crate) fn these<E: EntityTrait>(
    rows: Select<E>,
    id: E::Column,
    as_found: impl IntoCondition,
) -> DeleteMany<E> {
    let found: SelectStatement = rows.select_only().column(id).into_query();
    let ids = Query::select().column(id).from_subquery(found, "found").take();
    E::delete_many().filter(as_found).filter(id.in_subquery(ids))
}
