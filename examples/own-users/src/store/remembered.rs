use async_trait::async_trait;
use countersign_web::domain::{
    CLOCK_TOLERANCE, OffsetDateTime, Record, RememberOutcome, RememberStore, RememberUse,
    Remembered, RememberedId, SessionId, TokenDigest, User, UserId,
};
use sea_orm::prelude::Expr;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use super::{Answer, commit, delete, may, memories_of, record_and_commit, update};
use crate::Members;
use crate::entity::{member, memory};
use crate::row::{bytes, moment, unavailable};

#[async_trait]
impl RememberStore for Members {
    async fn use_remembered(
        &self,
        used: RememberUse<'_>,
        theft: &Record,
    ) -> Answer<RememberOutcome> {
        let change = self.begin().await?;
        let found = memory::Entity::find()
            .filter(memory::Column::Series.eq(bytes(used.series)))
            .find_both_related(member::Entity);
        let found = found.one(&change).await.map_err(unavailable)?;
        let Some((row, owner)) = found else { return Ok(RememberOutcome::Unknown) };
        if !owner.is_welcome || !Remembered::from(row.clone()).stands(used.now) {
            return Ok(RememberOutcome::Unknown);
        }
        let shown = |kept: &[u8]| TokenDigest::from_bytes(kept).as_ref() == Some(used.secret);
        let (is_current, id) = (shown(&row.secret), row.id);
        let is_earlier = row.earlier.as_deref().is_some_and(shown);
        let (mut remembered, owner) = (Remembered::from(row), User::try_from(owner)?);
        if is_current {
            let rotation = memory::Entity::update_many()
                .col_expr(memory::Column::Earlier, Expr::value(bytes(used.secret)))
                .col_expr(memory::Column::Secret, Expr::value(bytes(used.next)))
                .col_expr(memory::Column::UsedAt, Expr::value(moment(used.now)))
                .filter(memory::Column::Id.eq(id));
            update(rotation, &change).await?;
            commit(change).await?;
            remembered.used_at = used.now;
            return Ok(RememberOutcome::Rotated(remembered, owner));
        }
        if is_earlier && used.is_parallel_to(&remembered) {
            return Ok(RememberOutcome::Parallel(remembered, owner));
        }
        let stolen = memory::Entity::delete_many().filter(memory::Column::Id.eq(id));
        delete(stolen, &change).await?;
        record_and_commit(change, &theft.about(remembered.user_id)).await?;
        Ok(RememberOutcome::Stolen(remembered))
    }

    async fn remembered_of(&self, user: UserId) -> Answer<Vec<Remembered>> {
        let newest_first = memory::Entity::find()
            .filter(memory::Column::Member.eq(user.as_uuid()))
            .order_by_desc(memory::Column::BeganAt)
            .order_by_desc(memory::Column::Id);
        let rows = newest_first.all(&self.db).await.map_err(unavailable)?;
        Ok(rows.into_iter().map(Remembered::from).collect())
    }

    async fn end_remembered(
        &self,
        user: UserId,
        id: RememberedId,
        by: Option<SessionId>,
        record: &Record,
    ) -> Answer<bool> {
        let memory = memories_of(user).filter(memory::Column::Id.eq(id.as_uuid()));
        let change = self.begin().await?;
        if !may(&change, user, by).await? || delete(memory, &change).await? == 0 {
            return Ok(false);
        }
        record_and_commit(change, record).await?;
        Ok(true)
    }

    async fn end_series(&self, series: &TokenDigest, record: &Record) -> Answer<Option<UserId>> {
        let change = self.begin().await?;
        let memory = memory::Entity::find().filter(memory::Column::Series.eq(bytes(series)));
        let Some(row) = memory.one(&change).await.map_err(unavailable)? else { return Ok(None) };
        let memory = memory::Entity::delete_many().filter(memory::Column::Id.eq(row.id));
        delete(memory, &change).await?;
        let user = UserId::from_uuid(row.member);
        record_and_commit(change, &record.about(user)).await?;
        Ok(Some(user))
    }

    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Answer<u64> {
        let over = Condition::any()
            .add(memory::Column::EndsAt.lt(moment(now)))
            .add(memory::Column::BeganAt.gt(moment(now + CLOCK_TOLERANCE)));
        let dead = memory::Entity::find()
            .filter(over)
            .limit(u64::from(limit))
            .select_only()
            .column(memory::Column::Id)
            .into_query();
        let dead = memory::Entity::delete_many().filter(memory::Column::Id.in_subquery(dead));
        delete(dead, &self.db).await
    }
}
