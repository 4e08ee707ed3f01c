//! How a session begins: in place of an earlier one, and of those that are too many.

use countersign_domain::{RememberedId, Session, SessionId, StoreError, TokenDigest, UserId};
use sea_orm::prelude::TimeDateTime;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DeleteMany, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select,
};

use super::entity::{Column, Entity, Model};
use crate::error::{corrupt, unavailable};
use crate::query::these;
use crate::row::{address, bytes, client, moment};

pub(crate) fn session_row(session: &Session, token: &TokenDigest) -> Model {
    Model {
        id: session.id.as_uuid(),
        user_id: session.user_id.as_uuid(),
        remembered_id: session.remembered.as_ref().map(RememberedId::as_uuid),
        token_digest: bytes(token),
        address: address(&session.client),
        user_agent: session.client.user_agent.clone(),
        created_at: moment(session.created_at),
        authenticated_at: session.authenticated_at.map(moment),
        methods: session.methods.to_string(),
        last_seen_at: moment(session.last_seen_at),
        expires_at: moment(session.expires_at),
    }
}

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

pub(crate) fn newest_first(user: UserId) -> Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user.as_uuid()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
}

/// Returns the sessions of a user that are too many with this one, which stays whatever its time is.
pub(crate) fn beyond(user: UserId, new: SessionId, max: u32) -> DeleteMany<Entity> {
    let others = newest_first(user).filter(Column::Id.ne(new.as_uuid()));
    // An offset must come with a limit, which SQLite and PostgreSQL read as a signed number.
    let old = others.offset(u64::from(max.saturating_sub(1))).limit(i64::MAX.unsigned_abs());
    these(old, Column::Id, Column::UserId.eq(user.as_uuid()))
}

/// Returns the sessions of a remembered login: one at most.
pub(crate) fn of_login(id: RememberedId) -> Select<Entity> {
    Entity::find().filter(Column::RememberedId.eq(id.as_uuid()))
}

/// Begins a session in place of the earlier one of its remembered login, and ends those of its user that are
/// too many. Whoever calls this holds the lock of the user, so that of several at once one is left.
pub(crate) async fn begin(
    change: &impl ConnectionTrait,
    session: &Session,
    token: &TokenDigest,
    max_per_user: u32,
) -> Result<(), StoreError> {
    if let Some(login) = session.remembered {
        let earlier = Entity::delete_many().filter(Column::RememberedId.eq(login.as_uuid()));
        earlier.exec(change).await.map_err(unavailable)?;
    }
    let row = session_row(session, token).into_active_model();
    Entity::insert(row).exec_without_returning(change).await.map_err(unavailable)?;
    let too_many = beyond(session.user_id, session.id, max_per_user).exec(change).await;
    too_many.map_err(unavailable).map(drop)
}
