use async_trait::async_trait;
use countersign_domain::store::{RememberOutcome, RememberUse};
use countersign_domain::{
    AuditEntry, OffsetDateTime, RememberStore, Remembered, RememberedId, SessionId, StoreError,
    TokenDigest, User, UserId,
};
use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DeleteMany, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select, SelectTwoRequired,
};

use crate::Database;
use crate::audit::append;
use crate::call::Deadline;
use crate::entity::remembered::{Column, Entity};
use crate::entity::{session, user};
use crate::error::{unavailable, unread, unread_two};
use crate::row::{Series, bytes, moment};
use crate::session::these;
use crate::user::lock;

pub(crate) fn by_series(series: &TokenDigest) -> SelectTwoRequired<Entity, user::Entity> {
    Entity::find().filter(Column::SeriesDigest.eq(bytes(series))).find_both_related(user::Entity)
}

pub(crate) fn newest_first(user: UserId) -> Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user.as_uuid()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
}

/// The remembered login that a session of this user belongs to.
pub(crate) fn that_of(user: UserId, session: SessionId) -> DeleteMany<Entity> {
    let theirs = Entity::delete_many().filter(Column::UserId.eq(user.as_uuid()));
    theirs.filter(Column::Id.in_subquery(id_of(session)))
}

/// All remembered logins of a user but the one that the session `keep` belongs to.
pub(crate) fn remembered_but(user: UserId, keep: Option<SessionId>) -> DeleteMany<Entity> {
    let theirs = Entity::delete_many().filter(Column::UserId.eq(user.as_uuid()));
    match keep {
        Some(session) => theirs.filter(Column::Id.not_in_subquery(id_of(session))),
        None => theirs,
    }
}

/// At most one id. A null among them would make `NOT IN` hold for none.
fn id_of(session: SessionId) -> SelectStatement {
    session::Entity::find_by_id(session.as_uuid())
        .filter(session::Column::RememberedId.is_not_null())
        .select_only()
        .column(session::Column::RememberedId)
        .into_query()
}

/// At most `limit` remembered logins that have expired.
pub(crate) fn expired(now: OffsetDateTime, limit: u32) -> DeleteMany<Entity> {
    let over = Column::ExpiresAt.lt(moment(now));
    let old = Entity::find().filter(over.clone()).limit(u64::from(limit));
    these(old, Column::Id, over)
}

/// What the use of a remembered login comes to, if what is found stays as it is; changes nothing.
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
    Ok(if used.now >= remembered.expires_at || !user.is_active {
        RememberOutcome::Unknown
    } else if secret == *used.secret {
        RememberOutcome::Rotated(Remembered { used_at: used.now, ..remembered }, user)
    } else if previous == Some(*used.secret) && remembered.used_at >= used.grace_since {
        RememberOutcome::Parallel(remembered, user)
    } else {
        RememberOutcome::Stolen(remembered)
    })
}

#[async_trait]
impl RememberStore for Database {
    async fn use_remembered(&self, used: RememberUse<'_>) -> Result<RememberOutcome, StoreError> {
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
        let change = &self.write(until).await?;
        change
            .whole(|| async move {
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
                        append(change, &used.stolen.about(remembered.user_id)).await?;
                    }
                    RememberOutcome::Parallel(..) | RememberOutcome::Unknown => {}
                }
                Ok(outcome)
            })
            .await
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
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let ending = &Entity::delete_by_id(id.as_uuid()).filter(Column::UserId.eq(user.as_uuid()));
        let change = &self.write(Deadline::of_call()).await?;
        change
            .whole(|| async move {
                lock(change, user).await?;
                if ending.clone().exec(change).await.map_err(unavailable)?.rows_affected == 0 {
                    return Ok(false);
                }
                append(change, entry).await?;
                Ok(true)
            })
            .await
    }

    async fn end_series(
        &self,
        series: &TokenDigest,
        entry: &AuditEntry,
    ) -> Result<Option<UserId>, StoreError> {
        // Whoever makes a series up keeps no writer from its work.
        let until = Deadline::of_call();
        let found = by_series(series).one(&self.read(until).await?).await;
        let found = found.map_err(unread_two::<Entity, user::Entity>)?;
        let Some((row, _)) = found else { return Ok(None) };
        let (id, user) = (row.id, UserId::from_uuid(row.user_id));
        let change = &self.write(until).await?;
        change
            .whole(|| async move {
                lock(change, user).await?;
                let ending = Entity::delete_by_id(id).exec(change).await.map_err(unavailable)?;
                if ending.rows_affected == 0 {
                    return Ok(None);
                }
                append(change, &entry.about(user)).await?;
                Ok(Some(user))
            })
            .await
    }

    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.change_rows(expired(now, limit)).await
    }
}
