use countersign_domain::{Record, StoreError};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Select,
};

use super::entity::ends;
use super::entity::event::Entity;
use super::row::{link, record_row};
use crate::error::{corrupt, unavailable, unread};
use crate::limits::ROWS;
use crate::row::number;

/// The one row of `audit_ends`.
pub(crate) const ENDS: i32 = 1;

/// Reads where the trail begins and ends.
pub(crate) async fn ends(
    db: &impl ConnectionTrait,
    row: Select<ends::Entity>,
) -> Result<ends::Model, StoreError> {
    let row = row.one(db).await.map_err(unread::<ends::Entity>)?;
    row.ok_or("its row is gone").map_err(corrupt("audit_ends", "id"))
}

/// Appends what a record says within a transaction. Other transactions that append wait until it ends.
pub(crate) async fn append(
    transaction: &impl ConnectionTrait,
    record: &Record,
) -> Result<(), StoreError> {
    append_all(transaction, std::slice::from_ref(record)).await
}

pub(crate) async fn append_all(
    transaction: &impl ConnectionTrait,
    records: &[Record],
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let ends = ends(transaction, ends::Entity::find_by_id(ENDS).lock_exclusive()).await?;
    let mut last = link("audit_ends", ends.last_number, &ends.last_hash)?;
    for records in records.chunks(ROWS) {
        let rows: Vec<_> = records
            .iter()
            .map(|record| {
                let record = record.audit.record_after(last);
                last = record.link;
                record_row(&record).into_active_model()
            })
            .collect();
        let insertion = Entity::insert_many(rows).exec_without_returning(transaction);
        insertion.await.map_err(unavailable)?;
    }
    let moved = ends::Entity::update_many()
        .col_expr(ends::Column::LastNumber, Expr::value(number(last.number)))
        .col_expr(ends::Column::LastHash, Expr::value(last.hash.to_vec()))
        .filter(ends::Column::Id.eq(ENDS));
    moved.exec(transaction).await.map_err(unavailable).map(drop)
}
