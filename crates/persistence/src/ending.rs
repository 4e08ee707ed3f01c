//! How the sessions and remembered logins of a user end.

use countersign_domain::{SessionId, UserId};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{
    ColumnTrait, DeleteMany, EntityTrait, QueryFilter, QuerySelect, QueryTrait, UpdateMany,
};

use crate::remembered::entity as remembered;
use crate::session::entity as session;

/// Returns the deletion of all sessions of a user except one.
pub(crate) fn sessions_but(user: UserId, keep: Option<SessionId>) -> DeleteMany<session::Entity> {
    let theirs = session::Entity::delete_many().filter(session::Column::UserId.eq(user.as_uuid()));
    match keep {
        Some(id) => theirs.filter(session::Column::Id.ne(id.as_uuid())),
        None => theirs,
    }
}

/// Returns the change that makes a session of a user belong to no remembered login.
pub(crate) fn unremember(user: UserId, id: SessionId) -> UpdateMany<session::Entity> {
    session::Entity::update_many()
        .col_expr(session::Column::RememberedId, Expr::value(None::<Uuid>))
        .filter(session::Column::Id.eq(id.as_uuid()))
        .filter(session::Column::UserId.eq(user.as_uuid()))
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
