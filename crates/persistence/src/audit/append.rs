use countersign_domain::{Record, StoreError};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel};

use super::entity::queue;
use super::row::queue_row;
use super::seal::{lock_end, place};
use crate::error::unavailable;
use crate::limits::ROWS;

/// Appends what a record says within a transaction.
pub(crate) async fn append(
    transaction: &impl ConnectionTrait,
    record: &Record,
) -> Result<(), StoreError> {
    append_all(transaction, std::slice::from_ref(record)).await
}

/// Puts records into the queue of the trail, where nobody waits for anybody; whoever reads the trail gives
/// them their place first. On SQLite, where there is one writer anyway, they get it at once.
pub(crate) async fn append_all(
    transaction: &impl ConnectionTrait,
    records: &[Record],
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = records.iter().map(queue_row).collect();
    if transaction.get_database_backend() == DbBackend::Sqlite {
        let end = lock_end(transaction).await?;
        return place(transaction, &end, &rows).await;
    }
    for rows in rows.chunks(ROWS) {
        let rows = rows.iter().cloned().map(IntoActiveModel::into_active_model);
        let insertion = queue::Entity::insert_many(rows).exec_without_returning(transaction);
        insertion.await.map_err(unavailable)?;
    }
    Ok(())
}
