use async_trait::async_trait;
use countersign_domain::store::{SessionGrant, SessionRenewal};
use countersign_domain::{
    AuditEntry, OffsetDateTime, Session, SessionId, SessionStore, StoreError, TokenDigest, User,
    UserId,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, IntoCondition, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DeleteMany, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select, SelectTwoRequired, UpdateMany,
};

use crate::Database;
use crate::audit::append;
use crate::call::Deadline;
use crate::entity::session::{Column, Entity};
use crate::entity::{remembered, user};
use crate::error::{unavailable, unread, unread_two};
use crate::remembered::{remembered_but, that_of};
use crate::row::{address, bytes, moment, remembered_row, session_row};
use crate::user::lock;

pub(crate) fn by_token(token: &TokenDigest) -> SelectTwoRequired<Entity, user::Entity> {
    Entity::find().filter(Column::TokenDigest.eq(bytes(token))).find_both_related(user::Entity)
}

pub(crate) fn newest_first(user: UserId) -> Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user.as_uuid()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
}

/// All sessions of a user but one.
pub(crate) fn sessions_but(user: UserId, keep: Option<SessionId>) -> DeleteMany<Entity> {
    let theirs = Entity::delete_many().filter(Column::UserId.eq(user.as_uuid()));
    match keep {
        Some(id) => theirs.filter(Column::Id.ne(id.as_uuid())),
        None => theirs,
    }
}

/// The sessions of a user that are too many.
pub(crate) fn beyond(user: UserId, max: u32) -> DeleteMany<Entity> {
    // An offset must come with a limit, which SQLite and PostgreSQL read as a signed number.
    let old = newest_first(user).offset(u64::from(max)).limit(i64::MAX.unsigned_abs());
    these(old, Column::Id, Column::UserId.eq(user.as_uuid()))
}

/// At most `limit` sessions that are over.
pub(crate) fn dead(
    now: OffsetDateTime,
    idle_since: OffsetDateTime,
    limit: u32,
) -> DeleteMany<Entity> {
    let over = Condition::any()
        .add(Column::ExpiresAt.lt(moment(now)))
        .add(Column::LastSeenAt.lt(moment(idle_since)));
    these(Entity::find().filter(over.clone()).limit(u64::from(limit)), Column::Id, over)
}

/// How many sessions are live, which [`dead`] finds none of.
pub(crate) fn live(now: OffsetDateTime, idle_since: OffsetDateTime) -> Select<Entity> {
    Entity::find()
        .filter(Column::ExpiresAt.gt(moment(now)))
        .filter(Column::LastSeenAt.gt(moment(idle_since)))
        .select_only()
        .column_as(Column::Id.count(), "live")
}

/// A deletion of what a limited query finds, as far as it is still `as_found` when the row is
/// deleted: another may have changed it in between. That also names the index by which MariaDB comes
/// to the rows, since it looks at the subquery for each of them.
///
/// MySQL takes a limit in no subquery but this kind.
pub(crate) fn these<E: EntityTrait>(
    rows: Select<E>,
    id: E::Column,
    as_found: impl IntoCondition,
) -> DeleteMany<E> {
    let found: SelectStatement = rows.select_only().column(id).into_query();
    let ids = Query::select().column(id).from_subquery(found, "found").take();
    E::delete_many().filter(as_found).filter(id.in_subquery(ids))
}

/// Notes that a session was used, unless it was used later.
pub(crate) fn touch(id: SessionId, at: OffsetDateTime) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::LastSeenAt, Expr::value(moment(at)))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::LastSeenAt.lt(moment(at)))
}

/// Makes a session of a user belong to no remembered login.
pub(crate) fn unremember(user: UserId, id: SessionId) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::RememberedId, Expr::value(None::<Uuid>))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::UserId.eq(user.as_uuid()))
}

/// Saves the remembered login that begins with a session, or says whether the one that the session
/// is to belong to still stands.
async fn belongs(db: &impl ConnectionTrait, grant: &SessionGrant<'_>) -> Result<bool, StoreError> {
    if let Some(remember) = grant.remember {
        let row = remembered_row(remember).into_active_model();
        let insertion = remembered::Entity::insert(row).exec_without_returning(db);
        return insertion.await.map(|_| true).map_err(unavailable);
    }
    let Some(id) = grant.session.remembered else {
        return Ok(true);
    };
    let stands = remembered::Entity::find_by_id(id.as_uuid())
        .filter(remembered::Column::UserId.eq(grant.session.user_id.as_uuid()))
        .select_only()
        .column(remembered::Column::Id)
        .lock_exclusive();
    let found = stands.into_tuple::<Uuid>().one(db).await.map_err(unavailable)?;
    Ok(found.is_some())
}

#[async_trait]
impl SessionStore for Database {
    async fn insert_session(&self, grant: SessionGrant<'_>) -> Result<bool, StoreError> {
        let user = grant.session.user_id;
        let mut rests_on = user::Entity::find_by_id(user.as_uuid())
            .filter(user::Column::IsActive.eq(true))
            .select_only()
            .column(user::Column::Id)
            .lock_exclusive();
        if let Some(hash) = grant.proof {
            rests_on = rests_on.filter(user::Column::PasswordHash.eq(hash.as_phc()));
        }
        let rests_on = &rests_on;
        let change = &self.write(Deadline::of_call()).await?;
        change
            .whole(|| async move {
                let holds = rests_on.clone().into_tuple::<Uuid>().one(change).await;
                if holds.map_err(unavailable)?.is_none() || !belongs(change, &grant).await? {
                    return Ok(false);
                }
                let row = session_row(grant.session, grant.token).into_active_model();
                let insertion = Entity::insert(row).exec_without_returning(change);
                insertion.await.map_err(unavailable)?;
                beyond(user, grant.max_per_user).exec(change).await.map_err(unavailable)?;
                append(change, grant.entry).await?;
                Ok(true)
            })
            .await
    }

    async fn session_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<(Session, User)>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let found = by_token(token).one(&call).await;
        let found = found.map_err(unread_two::<Entity, user::Entity>)?;
        let Some((session, user)) = found else {
            return Ok(None);
        };
        Ok(Some((session.try_into()?, user.try_into()?)))
    }

    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let rows = newest_first(user).all(&call).await.map_err(unread::<Entity>)?;
        rows.into_iter().map(Session::try_from).collect()
    }

    async fn touch_sessions(&self, seen: &[(SessionId, OffsetDateTime)]) -> Result<(), StoreError> {
        if seen.is_empty() {
            return Ok(());
        }
        // In one order, so that of two who note the same sessions one waits for the other.
        let mut seen = seen.to_vec();
        seen.sort_unstable();
        let seen = &seen;
        let change = &self.write(Deadline::of_call()).await?;
        change
            .whole(|| async move {
                for (id, at) in seen {
                    touch(*id, *at).exec(change).await.map_err(unavailable)?;
                }
                Ok(())
            })
            .await
    }

    async fn renew_session(&self, renewal: SessionRenewal<'_>) -> Result<bool, StoreError> {
        let at = moment(renewal.authenticated_at);
        let seen = Expr::case(Column::LastSeenAt.lt(at), at).finally(Expr::col(Column::LastSeenAt));
        let replacement = &Entity::update_many()
            .col_expr(Column::TokenDigest, Expr::value(bytes(renewal.token)))
            .col_expr(Column::Address, Expr::value(address(renewal.client)))
            .col_expr(Column::UserAgent, Expr::value(renewal.client.user_agent.clone()))
            .col_expr(Column::AuthenticatedAt, Expr::value(at))
            .col_expr(Column::LastSeenAt, seen.into())
            .filter(Column::Id.eq(renewal.id.as_uuid()));
        let change = &self.write(Deadline::of_call()).await?;
        change
            .whole(|| async move {
                if replacement.clone().exec(change).await.map_err(unavailable)?.rows_affected == 0 {
                    return Ok(false);
                }
                if let Some(entry) = renewal.entry {
                    append(change, entry).await?;
                }
                Ok(true)
            })
            .await
    }

    async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let alone = &Entity::delete_by_id(id.as_uuid()).filter(Column::UserId.eq(user.as_uuid()));
        let change = &self.write(Deadline::of_call()).await?;
        change
            .whole(|| async move {
                lock(change, user).await?;
                // Takes the session along, if there is one.
                let with_login = that_of(user, id).exec(change).await.map_err(unavailable)?;
                let alone = alone.clone().exec(change).await.map_err(unavailable)?;
                if with_login.rows_affected + alone.rows_affected == 0 {
                    return Ok(false);
                }
                append(change, entry).await?;
                Ok(true)
            })
            .await
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let change = &self.write(Deadline::of_call()).await?;
        change
            .whole(|| async move {
                lock(change, user).await?;
                // First, so that all of them are counted.
                let ended = sessions_but(user, keep).exec(change).await.map_err(unavailable)?;
                let forgotten =
                    remembered_but(user, keep).exec(change).await.map_err(unavailable)?;
                if ended.rows_affected + forgotten.rows_affected == 0 {
                    return Ok(0);
                }
                append(change, entry).await?;
                Ok(ended.rows_affected)
            })
            .await
    }

    async fn purge_sessions(
        &self,
        now: OffsetDateTime,
        idle_since: OffsetDateTime,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.change_rows(dead(now, idle_since, limit)).await
    }
}
