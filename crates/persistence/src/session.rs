use async_trait::async_trait;
use countersign_domain::store::SessionGrant;
use countersign_domain::{
    OffsetDateTime, Session, SessionId, SessionStore, StoreError, TokenDigest, User, UserId,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, DeleteMany, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, SelectTwoRequired,
};

use crate::Database;
use crate::entity::session::{Column, Entity};
use crate::entity::user;
use crate::error::{unavailable, unread, unread_as};
use crate::row::{moment, session_row};

pub(crate) fn by_token(token: &TokenDigest) -> SelectTwoRequired<Entity, user::Entity> {
    Entity::find()
        .filter(Column::TokenDigest.eq(token.as_bytes().to_vec()))
        .find_both_related(user::Entity)
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
    these(newest_first(user).offset(u64::from(max)).limit(i64::MAX.unsigned_abs()))
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
    these(Entity::find().filter(over).limit(u64::from(limit)))
}

/// A deletion of what a limited query finds. MySQL takes a limit in no subquery but this kind.
fn these(sessions: Select<Entity>) -> DeleteMany<Entity> {
    let found: SelectStatement = sessions.select_only().column(Column::Id).into_query();
    let ids = Query::select().column(Column::Id).from_subquery(found, "found").take();
    Entity::delete_many().filter(Column::Id.in_subquery(ids))
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
        let transaction = self.begin().await?;
        let holds = rests_on.into_tuple::<Uuid>().one(&transaction).await.map_err(unavailable)?;
        if holds.is_none() {
            return Ok(false);
        }
        let row = session_row(grant.session, grant.token).into_active_model();
        let insertion = Entity::insert(row).exec_without_returning(&transaction);
        insertion.await.map_err(unavailable)?;
        beyond(user, grant.max_per_user).exec(&transaction).await.map_err(unavailable)?;
        transaction.commit().await.map_err(unavailable)?;
        Ok(true)
    }

    async fn session_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<(Session, User)>, StoreError> {
        let found = by_token(token).one(self.reader()).await.map_err(|error| {
            unread_as::<Entity>("A_", error)
                .or_else(|error| unread_as::<user::Entity>("B_", error))
                .unwrap_or_else(unavailable)
        })?;
        let Some((session, user)) = found else {
            return Ok(None);
        };
        Ok(Some((session.try_into()?, user.try_into()?)))
    }

    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        let rows = newest_first(user).all(self.reader()).await.map_err(unread::<Entity>)?;
        rows.into_iter().map(Session::try_from).collect()
    }

    async fn touch_session(&self, id: SessionId, now: OffsetDateTime) -> Result<(), StoreError> {
        let touch = Entity::update_many()
            .col_expr(Column::LastSeenAt, Expr::value(moment(now)))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::LastSeenAt.lt(moment(now)));
        touch.exec(self.writer()).await.map(drop).map_err(unavailable)
    }

    async fn end_session(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        let ending = Entity::delete_by_id(id.as_uuid()).filter(Column::UserId.eq(user.as_uuid()));
        Ok(ending.exec(self.writer()).await.map_err(unavailable)?.rows_affected > 0)
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        let ended = sessions_but(user, keep).exec(self.writer()).await;
        Ok(ended.map_err(unavailable)?.rows_affected)
    }

    async fn purge_sessions(
        &self,
        now: OffsetDateTime,
        idle_since: OffsetDateTime,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let purged = dead(now, idle_since, limit).exec(self.writer()).await;
        Ok(purged.map_err(unavailable)?.rows_affected)
    }
}
