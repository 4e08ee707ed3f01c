//! How records get their place in the trail.
//!
//! A transaction that changes something only puts its record into `audit_queue`. Whoever needs the trail in
//! order gives what waits there its number and its hash, in batches, under the lock of the one row of
//! `audit_ends`. That may be any process. The lock ends with the transaction or the connection of whoever
//! holds it, and the records of a process that was killed are in the queue for the others to find.

use countersign_domain::StoreError;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select,
};

use super::entity::event::Entity;
use super::entity::{ends, queue};
use super::row::{link, placed_row};
use crate::call::{Call, Deadline};
use crate::database::SqlStore;
use crate::error::{corrupt, unavailable, unread};
use crate::row::number;

/// The one row of `audit_ends`.
pub(crate) const ENDS: i32 = 1;

/// Records that get their place in one transaction.
const BATCH: u64 = 512;

/// Reads where the trail begins and ends.
pub(crate) async fn ends(
    db: &impl ConnectionTrait,
    row: Select<ends::Entity>,
) -> Result<ends::Model, StoreError> {
    let row = row.one(db).await.map_err(unread::<ends::Entity>)?;
    row.ok_or("its row is gone").map_err(corrupt("audit_ends", "id"))
}

/// Waits until nobody else gives records their place, until the transaction ends.
pub(crate) async fn lock_end(
    transaction: &impl ConnectionTrait,
) -> Result<ends::Model, StoreError> {
    ends(transaction, ends::Entity::find_by_id(ENDS).lock_exclusive()).await
}

/// Returns the records that have waited longest.
pub(crate) fn waiting(limit: u64) -> Select<queue::Entity> {
    // All ids are greater than this; MariaDB sees by it that it need not read the whole table.
    let all = queue::Entity::find().filter(queue::Column::Id.gt(Uuid::nil()));
    all.order_by_asc(queue::Column::Id).limit(limit)
}

/// Splits rows into parts of a few sizes, so that there are few different statements to prepare.
fn parts<T>(mut rows: &[T]) -> Vec<&[T]> {
    let mut parts = Vec::new();
    while let Some(size) = rows.len().checked_ilog2() {
        let (part, rest) = rows.split_at(1 << size.min(BATCH.ilog2()));
        parts.push(part);
        rows = rest;
    }
    parts
}

/// Gives rows the places behind the end, which the transaction has locked. They are kept as they are found:
/// where one was changed while it waited, its digest no longer fits, and shows that.
pub(crate) async fn place(
    transaction: &impl ConnectionTrait,
    end: &ends::Model,
    rows: &[queue::Model],
) -> Result<(), StoreError> {
    let mut last = link("audit_ends", end.last_number, &end.last_hash)?;
    for rows in parts(rows) {
        let placed = rows.iter().map(|row| {
            last = last.followed_by(&row.digest);
            placed_row(row, last).into_active_model()
        });
        let insertion = Entity::insert_many(placed).exec_without_returning(transaction);
        insertion.await.map_err(unavailable)?;
    }
    let moved = ends::Entity::update_many()
        .col_expr(ends::Column::LastNumber, Expr::value(number(last.number)))
        .col_expr(ends::Column::LastHash, Expr::value(last.hash.to_vec()))
        .filter(ends::Column::Id.eq(ENDS));
    moved.exec(transaction).await.map_err(unavailable).map(drop)
}

/// Gives a batch of what waits its place. Returns how many records that were.
async fn seal_batch(transaction: &Call) -> Result<u64, StoreError> {
    let end = lock_end(transaction).await?;
    let rows = waiting(BATCH).all(transaction).await.map_err(unread::<queue::Entity>)?;
    if rows.is_empty() {
        // Another process was faster.
        return Ok(0);
    }
    place(transaction, &end, &rows).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    for ids in parts(&ids) {
        let done = queue::Entity::delete_many().filter(queue::Column::Id.is_in(ids.to_vec()));
        done.exec(transaction).await.map_err(unavailable)?;
    }
    Ok(rows.len() as u64)
}

async fn is_any_waiting(call: &Call) -> Result<bool, StoreError> {
    let first = queue::Entity::find().select_only().column(queue::Column::Id).limit(1);
    let first = first.into_tuple::<Uuid>().one(call).await.map_err(unread::<queue::Entity>)?;
    Ok(first.is_some())
}

async fn seal_all(call: &Call) -> Result<(), StoreError> {
    while call.whole(|| seal_batch(call)).await? == BATCH {}
    Ok(())
}

impl SqlStore {
    /// Returns a connection to read the trail, once all has its place that was written before. Most of the
    /// time nothing waits, and nothing is locked.
    pub(crate) async fn in_order(&self, call: Call, until: Deadline) -> Result<Call, StoreError> {
        self.note_sealed();
        if !is_any_waiting(&call).await? {
            return Ok(call);
        }
        if call.get_database_backend() != DbBackend::Sqlite {
            seal_all(&call).await?;
            return Ok(call);
        }
        // Only a database that was copied from a server has a queue, and this connection only reads.
        drop(call);
        seal_all(&self.write(until).await?).await?;
        self.read(until).await
    }

    /// Gives all that was written before its place.
    pub(crate) async fn seal(&self) -> Result<(), StoreError> {
        let until = Deadline::of_call();
        let call = self.read(until).await?;
        self.in_order(call, until).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_into_parts_of_few_sizes() {
        for count in [0, 1, 2, 3, 37, 512, 513, 1_600] {
            let rows: Vec<_> = (0..count).collect();
            let parts = parts(&rows);
            assert_eq!(parts.concat(), rows);
            assert!(parts.iter().all(|part| part.len().is_power_of_two() && part.len() <= 512));
        }
    }
}
