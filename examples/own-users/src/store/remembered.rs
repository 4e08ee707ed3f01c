use async_trait::async_trait;
use countersign_web::domain::{
    CLOCK_TOLERANCE, OffsetDateTime, Record, RememberOutcome, RememberRecords, RememberStep,
    RememberStore, RememberUse, Remembered, RememberedId, Session, SessionId, TokenDigest, User,
    UserId,
};
use sea_orm::prelude::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};

use super::sessions::enter;
use super::{Answer, delete, may, memories_of, record_and_commit, update};
use crate::Members;
use crate::entity::{member, memory, visit};
use crate::row::{bytes, moment, unavailable};

/// A memory that is there, of a member who is welcome, and what is done about its use.
struct Found {
    step: RememberStep,
    remembered: Remembered,
    owner: User,
    visit: Option<Session>,
}

async fn find(db: &impl ConnectionTrait, used: RememberUse<'_>) -> Answer<Option<Found>> {
    let found = memory::Entity::find()
        .filter(memory::Column::Series.eq(bytes(used.series)))
        .find_both_related(member::Entity);
    let found = found.one(db).await.map_err(unavailable)?;
    let Some((row, owner)) = found.filter(|(_, owner)| owner.is_welcome) else { return Ok(None) };
    let visit = visit::Entity::find().filter(visit::Column::Memory.eq(row.id)).one(db).await;
    let visit = visit.map_err(unavailable)?.map(Session::try_from).transpose()?;
    let digest = |kept: &[u8]| TokenDigest::from_bytes(kept);
    let (current, earlier) = (digest(&row.secret), row.earlier.as_deref().and_then(digest));
    let Some(current) = current else { return Ok(None) };
    let (remembered, owner) = (Remembered::from(row), User::try_from(owner)?);
    let step = used.step(&remembered, &current, earlier.as_ref(), visit.is_some());
    Ok(Some(Found { step, remembered, owner, visit }))
}

#[async_trait]
impl RememberStore for Members {
    async fn peek_remembered(&self, used: RememberUse<'_>) -> Answer<Option<RememberOutcome>> {
        Ok(match find(&self.db, used).await? {
            None | Some(Found { step: RememberStep::Expired, .. }) => {
                Some(RememberOutcome::Unknown)
            }
            Some(Found { step: RememberStep::Join, remembered, owner, visit: Some(visit) }) => {
                Some(RememberOutcome::Parallel(remembered, owner, visit))
            }
            Some(_) => None,
        })
    }

    async fn use_remembered(
        &self,
        used: RememberUse<'_>,
        records: RememberRecords<'_>,
    ) -> Answer<RememberOutcome> {
        let change = self.begin().await?;
        let Some(Found { step, mut remembered, owner, visit }) = find(&change, used).await? else {
            return Ok(RememberOutcome::Unknown);
        };
        let (id, user) = (remembered.id.as_uuid(), owner.id);
        let (outcome, record) = match (step, visit) {
            (RememberStep::Expired, _) => return Ok(RememberOutcome::Unknown),
            (RememberStep::Join, Some(visit)) => {
                return Ok(RememberOutcome::Parallel(remembered, owner, visit));
            }
            (RememberStep::Join | RememberStep::Rotate, _) => {
                let rotation = memory::Entity::update_many()
                    .col_expr(memory::Column::Earlier, Expr::value(bytes(used.secret)))
                    .col_expr(memory::Column::Secret, Expr::value(bytes(used.next)))
                    .col_expr(memory::Column::UsedAt, Expr::value(moment(used.now)))
                    .filter(memory::Column::Id.eq(id));
                update(rotation, &change).await?;
                remembered.used_at = used.now;
                let visit = used.session(&remembered);
                enter(&change, &visit, used.begins.token, used.begins.max_per_user).await?;
                (RememberOutcome::Rotated(remembered, owner, visit), records.resumed)
            }
            (RememberStep::Theft, _) => {
                delete(memories_of(user).filter(memory::Column::Id.eq(id)), &change).await?;
                (RememberOutcome::Stolen(remembered), records.stolen)
            }
            (RememberStep::Move, _) => {
                delete(memories_of(user).filter(memory::Column::Id.eq(id)), &change).await?;
                (RememberOutcome::Moved(remembered), records.moved)
            }
        };
        record_and_commit(change, &record.about(user)).await?;
        Ok(outcome)
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
