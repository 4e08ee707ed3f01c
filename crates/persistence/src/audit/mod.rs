pub(crate) mod append;
pub(crate) mod entity;
mod row;

use async_trait::async_trait;
use countersign_domain::{
    AuditEnds, AuditFilter, AuditRecord, AuditStore, ChainLink, OffsetDateTime, Record, StoreError,
    UserId,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select,
};

use self::append::{ENDS, append_all, ends};
use self::entity::ends;
use self::entity::event::{self, Column, Entity};
use self::row::link;
use crate::call::{Call, Deadline, transaction};
use crate::database::SqlStore;
use crate::error::{unavailable, unread};
use crate::row::{address, moment, number};

pub(crate) fn matching(filter: AuditFilter, limit: u32) -> Select<Entity> {
    Entity::find()
        .apply_if(filter.user, |q, user| q.filter(Column::UserId.eq(user.as_uuid())))
        .apply_if(filter.kind, |q, kind| q.filter(Column::Kind.eq(kind.as_str())))
        .apply_if(filter.since, |q, since| q.filter(Column::At.gte(moment(since))))
        .apply_if(filter.before, |q, before| q.filter(Column::Number.lt(number(before))))
        .order_by_desc(Column::Number)
        .limit(u64::from(limit))
}

/// Returns at most `limit` records after a number, the oldest first.
pub(crate) fn oldest_first(after: i64, limit: u32) -> Select<Entity> {
    Entity::find()
        .filter(Column::Number.gt(after))
        .order_by_asc(Column::Number)
        .limit(u64::from(limit))
}

/// Returns the query for the users whom records are about, by the key of the table alone.
pub(crate) fn users_of(after: i64, limit: u32) -> Select<Entity> {
    let columns = [Column::Number, Column::Hash, Column::UserId];
    oldest_first(after, limit).select_only().columns(columns)
}

/// Removes the oldest records from before a moment, and notes up to where.
async fn remove(
    transaction: &impl ConnectionTrait,
    old: &[event::Model],
) -> Result<u64, StoreError> {
    let Some(last) = old.last() else { return Ok(0) };
    let noted = ends::Entity::update_many()
        .col_expr(ends::Column::RemovedNumber, Expr::value(last.number))
        .col_expr(ends::Column::RemovedHash, Expr::value(last.hash.clone()))
        .filter(ends::Column::Id.eq(ENDS))
        .filter(ends::Column::RemovedNumber.lt(last.number));
    if noted.exec(transaction).await.map_err(unavailable)?.rows_affected == 0 {
        // Another node has removed as many or more.
        return Ok(0);
    }
    let removal = Entity::delete_many().filter(Column::Number.lte(last.number));
    Ok(removal.exec(transaction).await.map_err(unavailable)?.rows_affected)
}

/// Cuts the addresses of records, and notes up to where.
async fn cut(
    transaction: &impl ConnectionTrait,
    old: Vec<event::Model>,
) -> Result<u64, StoreError> {
    let Some(last) = old.last().map(|row| row.number) else { return Ok(0) };
    let count = old.len() as u64;
    for row in old {
        let number = row.number;
        let mut record = AuditRecord::try_from(row)?;
        record.cut();
        let cutting = Entity::update_many()
            .col_expr(Column::Address, Expr::value(address(&record.event.client)))
            .col_expr(Column::Salt, Expr::value(None::<Vec<u8>>))
            .filter(Column::Number.eq(number));
        cutting.exec(transaction).await.map_err(unavailable)?;
    }
    let noted = ends::Entity::update_many()
        .col_expr(ends::Column::CutNumber, Expr::value(last))
        .filter(ends::Column::Id.eq(ENDS))
        .filter(ends::Column::CutNumber.lt(last));
    noted.exec(transaction).await.map_err(unavailable)?;
    Ok(count)
}

/// Returns the oldest records after a number that are from before a moment. One among them that says that it
/// is younger was written by a wrong clock: those after it are old.
async fn old(
    db: &Call,
    after: i64,
    before: OffsetDateTime,
    limit: u32,
) -> Result<Vec<event::Model>, StoreError> {
    let mut oldest = oldest_first(after, limit).all(db).await.map_err(unread::<Entity>)?;
    let old = oldest.iter().rposition(|row| row.at < moment(before));
    oldest.truncate(old.map_or(0, |last| last + 1));
    Ok(oldest)
}

#[async_trait]
impl AuditStore for SqlStore {
    async fn record(&self, records: &[Record]) -> Result<(), StoreError> {
        transaction!(self, Deadline::of_call(), |change| append_all(change, records).await)
    }

    async fn audit_records(
        &self,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let rows = matching(filter, limit).all(&call).await.map_err(unread::<Entity>)?;
        rows.into_iter().map(AuditRecord::try_from).collect()
    }

    async fn audit_trail(&self, after: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let rows = oldest_first(number(after), limit).all(&call).await;
        let rows = rows.map_err(unread::<Entity>)?;
        rows.into_iter().map(AuditRecord::try_from).collect()
    }

    async fn audit_users(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(ChainLink, Option<UserId>)>, StoreError> {
        let call = self.aside(Deadline::of_call()).await?;
        let users = users_of(number(after), limit).into_tuple::<(i64, Vec<u8>, Option<Uuid>)>();
        let rows = users.all(&call).await.map_err(unread::<Entity>)?;
        let user = |(number, hash, id): (i64, Vec<u8>, Option<Uuid>)| {
            Ok((link("audit_events", number, &hash)?, id.map(UserId::from_uuid)))
        };
        rows.into_iter().map(user).collect()
    }

    async fn audit_ends(&self) -> Result<AuditEnds, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let row = ends(&call, ends::Entity::find_by_id(ENDS)).await?;
        Ok(AuditEnds {
            removed: link("audit_ends", row.removed_number, &row.removed_hash)?,
            last: link("audit_ends", row.last_number, &row.last_hash)?,
        })
    }

    #[cfg(feature = "postgres")]
    async fn audit_growth(&self) -> Result<(), StoreError> {
        match self.growth() {
            Some(growth) => {
                growth.next().await.map_err(|error| StoreError::Unavailable(error.into()))
            }
            None => std::future::pending().await,
        }
    }

    async fn age_audit(
        &self,
        cut_before: OffsetDateTime,
        remove_before: OffsetDateTime,
        limit: u32,
    ) -> Result<(u64, u64), StoreError> {
        // Most of the time there is nothing to do, and no writer is kept from its work.
        let until = Deadline::of_call();
        let call = self.read(until).await?;
        let ends = ends(&call, ends::Entity::find_by_id(ENDS)).await?;
        let to_remove = &old(&call, ends.removed_number, remove_before, limit).await?;
        let to_cut = &old(&call, ends.cut_number, cut_before, limit).await?;
        // Whoever changes something needs a connection as well.
        drop(call);
        if to_remove.is_empty() && to_cut.is_empty() {
            return Ok((0, 0));
        }
        transaction!(self, until, |change| {
            let cut = cut(change, to_cut.clone()).await?;
            let removed = remove(change, to_remove).await?;
            Ok((cut, removed))
        })
    }
}
