pub(crate) mod basis;
pub(crate) mod begin;
pub(crate) mod entity;

use async_trait::async_trait;
use countersign_domain::{
    CLOCK_TOLERANCE, Ended, Keep, OffsetDateTime, Proof, Record, Session, SessionGrant, SessionId,
    SessionRenewal, SessionStore, StoreError, TokenDigest, User, UserId,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DeleteMany, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect, Select, SelectTwoRequired, UpdateMany,
};

use self::basis::{holds, may};
use self::begin::{begin, newest_first};
use self::entity::{Column, Entity};
use crate::audit::append::append;
use crate::call::{Deadline, transaction};
use crate::database::SqlStore;
use crate::ending::{end_all, that_of};
use crate::error::{unavailable, unread, unread_two};
use crate::query::these;
use crate::remembered::row::remembered_row;
use crate::remembered::{beyond as logins_beyond, entity as remembered};
use crate::row::{address, bytes, moment};
use crate::user::entity as user;

pub(crate) fn by_token(token: &TokenDigest) -> SelectTwoRequired<Entity, user::Entity> {
    Entity::find().filter(Column::TokenDigest.eq(bytes(token))).find_both_related(user::Entity)
}

/// Returns at most `limit` sessions that are over.
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

/// Returns the condition of sessions that began in the future.
pub(crate) fn unborn(now: OffsetDateTime) -> Condition {
    // Ids sort by time, so that the key finds them.
    let bound = now.saturating_add(CLOCK_TOLERANCE);
    Condition::all()
        .add(Column::Id.gte(SessionId::lowest(bound).as_uuid()))
        .add(Column::CreatedAt.gt(moment(bound)))
}

/// Returns how many sessions are live, which [`dead`] finds none of.
pub(crate) fn live(now: OffsetDateTime, idle_since: OffsetDateTime) -> Select<Entity> {
    Entity::find()
        .filter(Column::ExpiresAt.gt(moment(now)))
        .filter(Column::LastSeenAt.gt(moment(idle_since)))
        .filter(Column::CreatedAt.lte(moment(now.saturating_add(CLOCK_TOLERANCE))))
        .select_only()
        .column_as(Column::Id.count(), "live")
}

/// Notes that a session was used, unless it was used later.
pub(crate) fn touch(id: SessionId, at: OffsetDateTime) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::LastSeenAt, Expr::value(moment(at)))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::LastSeenAt.lt(moment(at)))
}

/// Gives a session its new token.
pub(crate) fn renewed(renewal: SessionRenewal<'_>) -> UpdateMany<Entity> {
    let at = moment(renewal.authenticated_at);
    let seen = Expr::case(Column::LastSeenAt.lt(at), at).finally(Expr::col(Column::LastSeenAt));
    Entity::update_many()
        .col_expr(Column::TokenDigest, Expr::value(bytes(renewal.token)))
        .col_expr(Column::Address, Expr::value(address(renewal.client)))
        .col_expr(Column::UserAgent, Expr::value(renewal.client.user_agent.clone()))
        .col_expr(Column::Methods, Expr::value(renewal.methods.to_string()))
        .col_expr(Column::AuthenticatedAt, Expr::value(at))
        .col_expr(Column::LastSeenAt, seen.into())
        .filter(Column::Id.eq(renewal.basis.session.as_uuid()))
}

/// Makes the same session belong to no remembered login.
pub(crate) fn unremembered(change: UpdateMany<Entity>) -> UpdateMany<Entity> {
    change.col_expr(Column::RememberedId, Expr::value(None::<Uuid>))
}

/// Saves the remembered login that begins with a session, or says whether the one that the session
/// is to belong to still stands.
async fn belongs(db: &impl ConnectionTrait, grant: &SessionGrant<'_>) -> Result<bool, StoreError> {
    if let Some(remember) = grant.remember {
        let row = remembered_row(remember).into_active_model();
        let insertion = remembered::Entity::insert(row).exec_without_returning(db);
        insertion.await.map_err(unavailable)?;
        let too_many = logins_beyond(grant.session.user_id, grant.max_per_user).exec(db).await;
        return too_many.map(|_| true).map_err(unavailable);
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
impl SessionStore for SqlStore {
    async fn insert_session(
        &self,
        grant: SessionGrant<'_>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let user = grant.session.user_id;
        let mut rests_on = user::Entity::find_by_id(user.as_uuid())
            .filter(user::Column::IsActive.eq(true))
            .select_only()
            .column(user::Column::Id)
            .lock_exclusive();
        if let Some(hash) = grant.proof.and_then(Proof::password_hash) {
            rests_on = rests_on.filter(user::Column::PasswordHash.eq(hash.as_phc()));
        }
        let rests_on = &rests_on;
        transaction!(self, Deadline::of_call(), |change| {
            let holds = rests_on.clone().into_tuple::<Uuid>().one(change).await;
            if holds.map_err(unavailable)?.is_none() || !belongs(change, &grant).await? {
                return Ok(false);
            }
            begin(change, grant.session, grant.token, grant.max_per_user).await?;
            append(change, record).await?;
            Ok(true)
        })
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
        transaction!(self, Deadline::of_call(), |change| {
            for (id, at) in seen {
                touch(*id, *at).exec(change).await.map_err(unavailable)?;
            }
            Ok(())
        })
    }

    async fn renew_session(
        &self,
        renewal: SessionRenewal<'_>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        transaction!(self, Deadline::of_call(), |change| {
            if !holds(change, renewal.basis).await? {
                return Ok(false);
            }
            renewed(renewal).exec(change).await.map_err(unavailable)?;
            append(change, record).await?;
            Ok(true)
        })
    }

    async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        by: Option<SessionId>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let alone = &Entity::delete_by_id(id.as_uuid()).filter(Column::UserId.eq(user.as_uuid()));
        transaction!(self, Deadline::of_call(), |change| {
            if !may(change, user, by).await? {
                return Ok(false);
            }
            // Takes the session along, if there is one.
            let with_login = that_of(user, id).exec(change).await.map_err(unavailable)?;
            let alone = alone.clone().exec(change).await.map_err(unavailable)?;
            if with_login.rows_affected + alone.rows_affected == 0 {
                return Ok(false);
            }
            append(change, record).await?;
            Ok(true)
        })
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<Keep<'_>>,
        record: &Record,
    ) -> Result<Ended, StoreError> {
        transaction!(self, Deadline::of_call(), |change| {
            if !may(change, user, keep.map(|keep| keep.session)).await? {
                return Ok(Ended::default());
            }
            let (sessions, remembered) = end_all(change, user, keep).await?;
            let ended = Ended { sessions, remembered };
            if ended != Ended::default() {
                append(change, record).await?;
            }
            Ok(ended)
        })
    }

    async fn purge_sessions(
        &self,
        now: OffsetDateTime,
        idle_since: OffsetDateTime,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let dead = self.change_rows(dead(now, idle_since, limit)).await?;
        let rest = limit.saturating_sub(u32::try_from(dead).unwrap_or(u32::MAX));
        Ok(dead + self.remove_found::<Entity, Uuid>(Column::Id, unborn(now), rest).await?)
    }
}

impl SqlStore {
    /// Counts the sessions that end after `now` and were used after `idle_since`. A use is written down
    /// within a minute.
    ///
    /// # Errors
    ///
    /// When the database cannot say.
    pub async fn live_sessions(
        &self,
        now: OffsetDateTime,
        idle_since: OffsetDateTime,
    ) -> Result<u64, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let found = live(now, idle_since).into_tuple::<i64>().one(&call).await;
        let found = found.map_err(unavailable)?.unwrap_or_default();
        Ok(u64::try_from(found).unwrap_or_default())
    }
}
