//! How records get their place in the trail.
//!
//! A transaction that changes something only puts its record into `audit_queue`. Whoever needs the trail in
//! order gives what waits there its number and its hash, in batches, under the lock of the one row of
//! `audit_ends`. That may be any process. The lock ends with the transaction or the connection of whoever
//! holds it, and the records of a process that was killed are in the queue for the others to find.

use std::sync::atomic::Ordering;

use countersign_domain::StoreError;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select,
};

use super::entity::event::{Column, Entity};
use super::entity::{ends, queue};
use super::id;
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

/// Returns the records that have waited longest, of those behind an id. MariaDB sees by it that it need not
/// read the whole table.
pub(crate) fn waiting(after: Uuid, limit: u64) -> Select<queue::Entity> {
    let all = queue::Entity::find().filter(queue::Column::Id.gt(after));
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
async fn seal_batch(transaction: &Call, after: Uuid) -> Result<u64, StoreError> {
    let end = lock_end(transaction).await?;
    let mut rows = waiting(after, BATCH).all(transaction).await.map_err(unread::<queue::Entity>)?;
    if rows.is_empty() {
        // Another process was faster.
        return Ok(0);
    }
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let placed = placed(transaction, &ids).await?;
    if !placed.is_empty() {
        // The tables are of different moments. The trail has these, and must not stop for them.
        tracing::error!(records = placed.len(), "the queue of the trail held what the trail has");
        rows.retain(|row| !placed.contains(&row.id));
    }
    if !rows.is_empty() {
        place(transaction, &end, &rows).await?;
    }
    for ids in parts(&ids) {
        let done = queue::Entity::delete_many().filter(queue::Column::Id.is_in(ids.to_vec()));
        done.exec(transaction).await.map_err(unavailable)?;
    }
    Ok(ids.len() as u64)
}

/// Returns which of these ids the trail has already.
async fn placed(transaction: &Call, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
    let mut placed = Vec::new();
    for ids in parts(ids) {
        let found = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Id.is_in(ids.to_vec()))
            .into_tuple::<Uuid>();
        placed.extend(found.all(transaction).await.map_err(unread::<Entity>)?);
    }
    Ok(placed)
}

/// Returns whether a record behind an id waits for its place.
pub(crate) async fn is_any_waiting(call: &Call, after: Uuid) -> Result<bool, StoreError> {
    let first = queue::Entity::find()
        .filter(queue::Column::Id.gt(after))
        .select_only()
        .column(queue::Column::Id)
        .limit(1);
    let first = first.into_tuple::<Uuid>().one(call).await.map_err(unread::<queue::Entity>)?;
    Ok(first.is_some())
}

async fn seal_all(call: &Call, after: Uuid) -> Result<(), StoreError> {
    while call.whole(|| seal_batch(call, after)).await? == BATCH {}
    Ok(())
}

/// How often, in milliseconds, the whole queue is looked at. In between, only what is younger than the last
/// look by no more than this: rows that were deleted while somebody reads an old state of the database, as a
/// backup does, stay behind and must be read over.
const WHOLE_EVERY: u64 = 60_000;

impl SqlStore {
    /// Returns a connection to read the trail, once all has its place that was written before. Most of the
    /// time nothing waits, and nothing is locked.
    pub(crate) async fn in_order(&self, call: Call, until: Deadline) -> Result<Call, StoreError> {
        self.note_sealed();
        let (now, last) = (id::now(), self.last_whole_look().load(Ordering::Relaxed));
        let is_whole = !(last..last.saturating_add(WHOLE_EVERY)).contains(&now);
        let after = match is_whole {
            true => Uuid::nil(),
            false => id::before(last.saturating_sub(WHOLE_EVERY)),
        };
        let call = self.sealed(call, after, until).await?;
        if is_whole {
            self.last_whole_look().store(now, Ordering::Relaxed);
        }
        Ok(call)
    }

    async fn sealed(&self, call: Call, after: Uuid, until: Deadline) -> Result<Call, StoreError> {
        if !is_any_waiting(&call, after).await? {
            return Ok(call);
        }
        if call.get_database_backend() != DbBackend::Sqlite {
            seal_all(&call, after).await?;
            return Ok(call);
        }
        // Only a database that was copied from a server has a queue, and this connection only reads.
        drop(call);
        seal_all(&self.write(until).await?, after).await?;
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
