pub(crate) mod entity;
pub(crate) mod row;

use async_trait::async_trait;
use countersign_domain::{
    CLOCK_TOLERANCE, OffsetDateTime, Record, RememberOutcome, RememberStore, RememberUse,
    Remembered, RememberedId, SessionId, StoreError, TokenDigest, User, UserId,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DeleteMany, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Select, SelectTwoRequired,
};

use self::entity::{Column, Entity};
use self::row::Series;
use crate::audit::append::append;
use crate::call::{Deadline, transaction};
use crate::database::SqlStore;
use crate::error::{unavailable, unread, unread_two};
use crate::query::these;
use crate::row::{bytes, moment};
use crate::session::basis::may;
use crate::user::entity as user;
use crate::user::lock::lock;

pub(crate) fn by_series(series: &TokenDigest) -> SelectTwoRequired<Entity, user::Entity> {
    Entity::find().filter(Column::SeriesDigest.eq(bytes(series))).find_both_related(user::Entity)
}

pub(crate) fn newest_first(user: UserId) -> Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user.as_uuid()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
}

/// Returns at most `limit` remembered logins that have expired.
pub(crate) fn expired(now: OffsetDateTime, limit: u32) -> DeleteMany<Entity> {
    let over = Column::ExpiresAt.lt(moment(now));
    let old = Entity::find().filter(over.clone()).limit(u64::from(limit));
    these(old, Column::Id, over)
}

/// Returns the condition of remembered logins that began in the future.
pub(crate) fn unborn(now: OffsetDateTime) -> Condition {
    // Ids sort by time, so that the key finds them.
    let bound = now.saturating_add(CLOCK_TOLERANCE);
    Condition::all()
        .add(Column::Id.gte(RememberedId::lowest(bound).as_uuid()))
        .add(Column::CreatedAt.gt(moment(bound)))
}

/// Returns what the use of a remembered login comes to, if what is found stays as it is; changes nothing.
async fn outcome(
    db: &impl ConnectionTrait,
    found: SelectTwoRequired<Entity, user::Entity>,
    used: RememberUse<'_>,
) -> Result<RememberOutcome, StoreError> {
    let found = found.one(db).await.map_err(unread_two::<Entity, user::Entity>)?;
    let Some((row, user)) = found else {
        return Ok(RememberOutcome::Unknown);
    };
    let (Series { remembered, secret, previous }, user) = (row.try_into()?, User::try_from(user)?);
    Ok(if !remembered.stands(used.now) || !user.is_active {
        RememberOutcome::Unknown
    } else if secret == *used.secret {
        let mut rotated = remembered;
        rotated.used_at = used.now;
        RememberOutcome::Rotated(rotated, user)
    } else if previous == Some(*used.secret) && used.is_parallel_to(&remembered) {
        RememberOutcome::Parallel(remembered, user)
    } else {
        RememberOutcome::Stolen(remembered)
    })
}

#[async_trait]
impl RememberStore for SqlStore {
    async fn use_remembered(
        &self,
        used: RememberUse<'_>,
        theft: &Record,
    ) -> Result<RememberOutcome, StoreError> {
        // Whoever makes a series up keeps no writer from its work, and neither does a parallel
        // request.
        let until = Deadline::of_call();
        let first = outcome(&self.read(until).await?, by_series(used.series), used).await?;
        let user = match &first {
            RememberOutcome::Unknown | RememberOutcome::Parallel(..) => return Ok(first),
            RememberOutcome::Rotated(remembered, _) | RememberOutcome::Stolen(remembered) => {
                remembered.user_id
            }
        };
        // Another may have come first, so what counts is what is found now.
        transaction!(self, until, |change| {
            lock(change, user).await?;
            let outcome = outcome(change, by_series(used.series), used).await?;
            match &outcome {
                RememberOutcome::Rotated(remembered, _) => {
                    let rotation = Entity::update_many()
                        .col_expr(Column::PreviousDigest, Expr::value(bytes(used.secret)))
                        .col_expr(Column::SecretDigest, Expr::value(bytes(used.next)))
                        .col_expr(Column::UsedAt, Expr::value(moment(used.now)))
                        .filter(Column::Id.eq(remembered.id.as_uuid()));
                    rotation.exec(change).await.map_err(unavailable)?;
                }
                RememberOutcome::Stolen(remembered) => {
                    let deletion = Entity::delete_by_id(remembered.id.as_uuid());
                    deletion.exec(change).await.map_err(unavailable)?;
                    append(change, &theft.about(remembered.user_id)).await?;
                }
                RememberOutcome::Parallel(..) | RememberOutcome::Unknown => {}
            }
            Ok(outcome)
        })
    }

    async fn remembered_of(&self, user: UserId) -> Result<Vec<Remembered>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let rows = newest_first(user).all(&call).await.map_err(unread::<Entity>)?;
        rows.into_iter().map(Remembered::try_from).collect()
    }

    // The foreign key of `sessions` takes the sessions along, here and wherever a row is deleted.
    async fn end_remembered(
        &self,
        user: UserId,
        id: RememberedId,
        by: Option<SessionId>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let ending = &Entity::delete_by_id(id.as_uuid()).filter(Column::UserId.eq(user.as_uuid()));
        transaction!(self, Deadline::of_call(), |change| {
            if !may(change, user, by).await? {
                return Ok(false);
            }
            if ending.clone().exec(change).await.map_err(unavailable)?.rows_affected == 0 {
                return Ok(false);
            }
            append(change, record).await?;
            Ok(true)
        })
    }

    async fn end_series(
        &self,
        series: &TokenDigest,
        record: &Record,
    ) -> Result<Option<UserId>, StoreError> {
        // Whoever makes a series up keeps no writer from its work.
        let until = Deadline::of_call();
        let found = by_series(series).one(&self.read(until).await?).await;
        let found = found.map_err(unread_two::<Entity, user::Entity>)?;
        let Some((row, _)) = found else { return Ok(None) };
        let (id, user) = (row.id, UserId::from_uuid(row.user_id));
        transaction!(self, until, |change| {
            lock(change, user).await?;
            let ending = Entity::delete_by_id(id).exec(change).await.map_err(unavailable)?;
            if ending.rows_affected == 0 {
                return Ok(None);
            }
            append(change, &record.about(user)).await?;
            Ok(Some(user))
        })
    }

    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let expired = self.change_rows(expired(now, limit)).await?;
        let rest = limit.saturating_sub(u32::try_from(expired).unwrap_or(u32::MAX));
        Ok(expired + self.remove_found::<Entity, Uuid>(Column::Id, unborn(now), rest).await?)
    }
}
