use countersign_domain::{StoreError, UserId};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QuerySelect};

use super::entity::{Column, Entity};
use crate::error::unavailable;

/// Keeps other transactions from changing this user's sessions and remembered logins until the transaction
/// ends. A transaction that changes several of these rows locks the user first, so that of two, one waits
/// for the other. On SQLite no other transaction writes anyway.
pub(crate) async fn lock(db: &impl ConnectionTrait, id: UserId) -> Result<(), StoreError> {
    if db.get_database_backend() == DbBackend::Sqlite {
        return Ok(());
    }
    let user = Entity::find_by_id(id.as_uuid()).select_only().column(Column::Id).lock_exclusive();
    user.into_tuple::<Uuid>().one(db).await.map_err(unavailable).map(drop)
}
