mod age;
pub(crate) mod append;
pub(crate) mod entity;
mod id;
mod row;
pub(crate) mod seal;

use async_trait::async_trait;
use countersign_domain::{
    AgeingRule, AuditEnds, AuditFilter, AuditRecord, AuditStore, AuthEventKind, ChainLink, Record,
    StoreError, UserId,
};
use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};

use self::append::append_all;
use self::entity::ends;
use self::entity::event::{Column, Entity};
use self::row::link;
use self::seal::{ENDS, ends};
use crate::call::{Deadline, transaction};
use crate::database::SqlStore;
use crate::error::{corrupt, unread};
use crate::row::{moment, number};

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

/// Returns the query for the users whom records may have changed, by the key of the table alone.
pub(crate) fn users_of(after: i64, limit: u32) -> Select<Entity> {
    let columns = [Column::Number, Column::Hash, Column::Kind, Column::UserId];
    oldest_first(after, limit).select_only().columns(columns)
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
        let until = Deadline::of_call();
        let call = self.in_order(self.read(until).await?, until).await?;
        let rows = matching(filter, limit).all(&call).await.map_err(unread::<Entity>)?;
        rows.into_iter().map(AuditRecord::try_from).collect()
    }

    async fn audit_trail(&self, after: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let until = Deadline::of_call();
        let call = self.in_order(self.read(until).await?, until).await?;
        let rows = oldest_first(number(after), limit).all(&call).await;
        let rows = rows.map_err(unread::<Entity>)?;
        rows.into_iter().map(AuditRecord::try_from).collect()
    }

    async fn audit_users(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(ChainLink, Option<UserId>)>, StoreError> {
        type Row = (i64, Vec<u8>, String, Option<Uuid>);
        let until = Deadline::of_call();
        let call = self.in_order(self.aside(until).await?, until).await?;
        let rows = users_of(number(after), limit).into_tuple::<Row>().all(&call).await;
        let user = |(number, hash, kind, id): Row| {
            let kind: AuthEventKind = kind.parse().map_err(corrupt("audit_events", "kind"))?;
            let user = id.map(UserId::from_uuid).filter(|_| kind.changes_sessions());
            Ok((link("audit_events", number, &hash)?, user))
        };
        rows.map_err(unread::<Entity>)?.into_iter().map(user).collect()
    }

    async fn audit_ends(&self) -> Result<AuditEnds, StoreError> {
        let until = Deadline::of_call();
        let call = self.in_order(self.read(until).await?, until).await?;
        let row = ends(&call, ends::Entity::find_by_id(ENDS)).await?;
        Ok(AuditEnds {
            removed: link("audit_ends", row.removed_number, &row.removed_hash)?,
            last: link("audit_ends", row.last_number, &row.last_hash)?,
        })
    }

    async fn audit_growth(&self) -> Result<(), StoreError> {
        #[cfg(feature = "postgres")]
        if let Some(growth) = self.growth() {
            let grown = growth.next(self.writing()).await;
            return grown.map_err(|error| StoreError::Unavailable(error.into()));
        }
        self.writing().notified().await;
        Ok(())
    }

    async fn age_audit(&self, rule: AgeingRule, record: &Record) -> Result<u64, StoreError> {
        self.age(rule, record).await
    }
}
