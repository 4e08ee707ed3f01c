pub(crate) mod begin;
pub(crate) mod entity;

use async_trait::async_trait;
use countersign_domain::{
    Ended, OffsetDateTime, Proof, Record, RememberedId, Session, SessionGrant, SessionId,
    SessionRenewal, SessionStore, StoreError, TokenDigest, User, UserId,
};
use sea_orm::prelude::{TimeDateTime, Uuid};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DeleteMany, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect, Select, SelectTwoRequired, UpdateMany,
};

use self::begin::{begin, newest_first};
use self::entity::{Column, Entity, Model};
use crate::audit::append::append;
use crate::call::{Deadline, transaction};
use crate::database::SqlStore;
use crate::ending::{remembered_but, sessions_but, that_of};
use crate::error::{corrupt, unavailable, unread, unread_two};
use crate::query::these;
use crate::remembered::row::remembered_row;
use crate::remembered::{beyond as logins_beyond, entity as remembered};
use crate::row::{address, bytes, client, moment};
use crate::user::entity as user;
use crate::user::lock::lock;

impl TryFrom<Model> for Session {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let (created_at, expires_at) = (row.created_at.assume_utc(), row.expires_at.assume_utc());
        let (id, user) = (SessionId::from_uuid(row.id), UserId::from_uuid(row.user_id));
        let client = client("sessions", row.address, row.user_agent)?;
        let mut session = Self::new(id, user, client, created_at, expires_at);
        session.remembered = row.remembered_id.map(RememberedId::from_uuid);
        session.authenticated_at = row.authenticated_at.map(TimeDateTime::assume_utc);
        session.methods = row.methods.parse().map_err(corrupt("sessions", "methods"))?;
        session.last_seen_at = row.last_seen_at.assume_utc();
        Ok(session)
    }
}

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

/// Returns how many sessions are live, which [`dead`] finds none of.
pub(crate) fn live(now: OffsetDateTime, idle_since: OffsetDateTime) -> Select<Entity> {
    Entity::find()
        .filter(Column::ExpiresAt.gt(moment(now)))
        .filter(Column::LastSeenAt.gt(moment(idle_since)))
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
        record: Option<&Record>,
    ) -> Result<bool, StoreError> {
        let at = moment(renewal.authenticated_at);
        let seen = Expr::case(Column::LastSeenAt.lt(at), at).finally(Expr::col(Column::LastSeenAt));
        let replacement = &Entity::update_many()
            .col_expr(Column::TokenDigest, Expr::value(bytes(renewal.token)))
            .col_expr(Column::Address, Expr::value(address(renewal.client)))
            .col_expr(Column::UserAgent, Expr::value(renewal.client.user_agent.clone()))
            .col_expr(Column::Methods, Expr::value(renewal.methods.to_string()))
            .col_expr(Column::AuthenticatedAt, Expr::value(at))
            .col_expr(Column::LastSeenAt, seen.into())
            .filter(Column::Id.eq(renewal.id.as_uuid()));
        transaction!(self, Deadline::of_call(), |change| {
            if replacement.clone().exec(change).await.map_err(unavailable)?.rows_affected == 0 {
                return Ok(false);
            }
            if let Some(record) = record {
                append(change, record).await?;
            }
            Ok(true)
        })
    }

    async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let alone = &Entity::delete_by_id(id.as_uuid()).filter(Column::UserId.eq(user.as_uuid()));
        transaction!(self, Deadline::of_call(), |change| {
            lock(change, user).await?;
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
        keep: Option<SessionId>,
        record: &Record,
    ) -> Result<Ended, StoreError> {
        transaction!(self, Deadline::of_call(), |change| {
            lock(change, user).await?;
            // First, so that all of them are counted.
            let ended = sessions_but(user, keep).exec(change).await.map_err(unavailable)?;
            let forgotten = remembered_but(user, keep).exec(change).await.map_err(unavailable)?;
            let (sessions, remembered) = (ended.rows_affected, forgotten.rows_affected);
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
        self.change_rows(dead(now, idle_since, limit)).await
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
