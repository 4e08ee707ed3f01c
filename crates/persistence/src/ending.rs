//! How what belongs to a user ends.

use countersign_domain::{Keep, SessionId, StoreError, TokenDigest, UserId};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DeleteMany, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
};

use crate::browser::entity as browser;
use crate::error::unavailable;
use crate::pending::entity as pending;
use crate::remembered::entity as remembered;
use crate::row::bytes;
use crate::session::entity as session;

/// Ends all that belongs to a user, except what is kept. Returns how many sessions and how many remembered
/// logins ended.
pub(crate) async fn end_all(
    db: &impl ConnectionTrait,
    user: UserId,
    keep: Option<Keep<'_>>,
) -> Result<(u64, u64), StoreError> {
    let session = keep.map(|keep| keep.session);
    // First, so that all of them are counted.
    let ended = sessions_but(user, session).exec(db).await.map_err(unavailable)?;
    let forgotten = remembered_but(user, session).exec(db).await.map_err(unavailable)?;
    forget(db, user, keep.and_then(|keep| keep.browser)).await?;
    Ok((ended.rows_affected, forgotten.rows_affected))
}

/// Forgets the known browsers of a user except one, and ends the logins that wait for a second factor.
pub(crate) async fn forget(
    db: &impl ConnectionTrait,
    user: UserId,
    keep: Option<&TokenDigest>,
) -> Result<(), StoreError> {
    let known = browser::Entity::delete_many().filter(browser::Column::UserId.eq(user.as_uuid()));
    let known = match keep {
        Some(token) => known.filter(browser::Column::TokenDigest.ne(bytes(token))),
        None => known,
    };
    known.exec(db).await.map_err(unavailable)?;
    let waiting = pending::Entity::delete_many().filter(pending::Column::UserId.eq(user.as_uuid()));
    waiting.exec(db).await.map_err(unavailable).map(drop)
}

/// Returns the deletion of all sessions of a user except one.
pub(crate) fn sessions_but(user: UserId, keep: Option<SessionId>) -> DeleteMany<session::Entity> {
    let theirs = session::Entity::delete_many().filter(session::Column::UserId.eq(user.as_uuid()));
    match keep {
        Some(id) => theirs.filter(session::Column::Id.ne(id.as_uuid())),
        None => theirs,
    }
}

/// Returns the deletion of the remembered login that a session of this user belongs to. The foreign key of
/// `sessions` takes its sessions along, here and wherever a remembered login is deleted.
pub(crate) fn that_of(user: UserId, session: SessionId) -> DeleteMany<remembered::Entity> {
    let theirs =
        remembered::Entity::delete_many().filter(remembered::Column::UserId.eq(user.as_uuid()));
    theirs.filter(remembered::Column::Id.in_subquery(id_of(session)))
}

/// Returns the deletion of all remembered logins of a user except the one that the session `keep` belongs to.
pub(crate) fn remembered_but(
    user: UserId,
    keep: Option<SessionId>,
) -> DeleteMany<remembered::Entity> {
    let theirs =
        remembered::Entity::delete_many().filter(remembered::Column::UserId.eq(user.as_uuid()));
    match keep {
        Some(session) => theirs.filter(remembered::Column::Id.not_in_subquery(id_of(session))),
        None => theirs,
    }
}

/// Selects at most one id. A null among the ids would make `NOT IN` match no row.
fn id_of(session: SessionId) -> SelectStatement {
    session::Entity::find_by_id(session.as_uuid())
        .filter(session::Column::RememberedId.is_not_null())
        .select_only()
        .column(session::Column::RememberedId)
        .into_query()
}
