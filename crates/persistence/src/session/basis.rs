use countersign_domain::{Basis, PasswordHash, SessionId, StoreError, UserId};
use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use super::entity::{Column, Entity};
use crate::error::unavailable;
use crate::user::entity as user;
use crate::user::lock::lock;

/// Returns whether what a change rests on holds, and keeps others from changing it until the transaction
/// ends.
pub(crate) async fn holds(db: &impl ConnectionTrait, basis: Basis<'_>) -> Result<bool, StoreError> {
    let user = user::Entity::find_by_id(basis.user.as_uuid())
        .filter(user::Column::IsActive.eq(true))
        .filter(match basis.password.map(PasswordHash::as_phc) {
            Some(hash) => user::Column::PasswordHash.eq(hash),
            None => user::Column::PasswordHash.is_null(),
        })
        .select_only()
        .column(user::Column::Id)
        .lock_exclusive();
    let found = user.into_tuple::<Uuid>().one(db).await.map_err(unavailable)?;
    Ok(found.is_some() && stands(db, basis.user, basis.session).await?)
}

/// Locks a user, and returns whether the session in which they ask stands. A change that is not asked for in
/// a session may be made.
pub(crate) async fn may(
    db: &impl ConnectionTrait,
    user: UserId,
    by: Option<SessionId>,
) -> Result<bool, StoreError> {
    lock(db, user).await?;
    match by {
        Some(session) => stands(db, user, session).await,
        None => Ok(true),
    }
}

/// Whoever ends a session of a user locks the user first, so that this stays true.
async fn stands(
    db: &impl ConnectionTrait,
    user: UserId,
    session: SessionId,
) -> Result<bool, StoreError> {
    let session = Entity::find_by_id(session.as_uuid())
        .filter(Column::UserId.eq(user.as_uuid()))
        .select_only()
        .column(Column::Id);
    let found = session.into_tuple::<Uuid>().one(db).await.map_err(unavailable)?;
    Ok(found.is_some())
}
