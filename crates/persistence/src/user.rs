use async_trait::async_trait;
use countersign_domain::{
    AuditEntry, EmailAddress, PasswordHash, SessionId, StoreError, User, UserId, UserStore,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select,
};

use crate::Database;
use crate::audit::append;
use crate::call::Deadline;
use crate::entity::user::{Column, Entity, Model};
use crate::error::{not_inserted, unavailable, unread};
use crate::remembered::remembered_but;
use crate::row::moment;
use crate::session::{sessions_but, unremember};

pub(crate) fn by_email(email: &EmailAddress) -> Select<Entity> {
    Entity::find().filter(Column::EmailCanonical.eq(email.canonical()))
}

pub(crate) fn page(after: Option<UserId>, limit: u32) -> Select<Entity> {
    let users = Entity::find().order_by_asc(Column::Id).limit(u64::from(limit));
    match after {
        Some(id) => users.filter(Column::Id.gt(id.as_uuid())),
        None => users,
    }
}

/// Has nobody else change this user's sessions and remembered logins until the transaction ends: whoever
/// changes several of these rows locks the user first, so that of two, one waits for the other. On SQLite
/// nobody else writes anyway.
pub(crate) async fn lock(db: &impl ConnectionTrait, id: UserId) -> Result<(), StoreError> {
    if db.get_database_backend() == DbBackend::Sqlite {
        return Ok(());
    }
    let user = Entity::find_by_id(id.as_uuid()).select_only().column(Column::Id).lock_exclusive();
    user.into_tuple::<Uuid>().one(db).await.map_err(unavailable).map(drop)
}

impl Database {
    async fn user(&self, query: Select<Entity>) -> Result<Option<User>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let row = query.one(&call).await.map_err(unread::<Entity>)?;
        row.map(User::try_from).transpose()
    }
}

#[async_trait]
impl UserStore for Database {
    async fn insert_user(&self, user: &User, entry: &AuditEntry) -> Result<(), StoreError> {
        let row = &Model::from(user).into_active_model();
        let change = &self.write(Deadline::of_call()).await?;
        change
            .whole(|| async move {
                let inserted = Entity::insert(row.clone()).exec_without_returning(change).await;
                inserted.map_err(not_inserted)?;
                append(change, entry).await
            })
            .await
    }

    async fn user_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.user(Entity::find_by_id(id.as_uuid())).await
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        self.user(by_email(email)).await
    }

    async fn users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let rows = page(after, limit).all(&call).await.map_err(unread::<Entity>)?;
        rows.into_iter().map(User::try_from).collect()
    }

    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        keep: Option<SessionId>,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let replacement = &Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(hash.as_phc()))
            .col_expr(Column::UpdatedAt, Expr::value(moment(entry.event.at)))
            .filter(Column::Id.eq(id.as_uuid()));
        let change = &self.write(Deadline::of_call()).await?;
        change
            .whole(|| async move {
                if replacement.clone().exec(change).await.map_err(unavailable)?.rows_affected == 0 {
                    return Ok(false);
                }
                if let Some(kept) = keep {
                    unremember(id, kept).exec(change).await.map_err(unavailable)?;
                }
                sessions_but(id, keep).exec(change).await.map_err(unavailable)?;
                remembered_but(id, None).exec(change).await.map_err(unavailable)?;
                append(change, entry).await?;
                Ok(true)
            })
            .await
    }

    async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let upgrade = Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(to.as_phc()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::PasswordHash.eq(from.as_phc()));
        Ok(self.change_rows(upgrade).await? > 0)
    }

    async fn set_active(
        &self,
        id: UserId,
        active: bool,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let switch = &Entity::update_many()
            .col_expr(Column::IsActive, Expr::value(active))
            .col_expr(Column::UpdatedAt, Expr::value(moment(entry.event.at)))
            .filter(Column::Id.eq(id.as_uuid()));
        let change = &self.write(Deadline::of_call()).await?;
        change
            .whole(|| async move {
                if switch.clone().exec(change).await.map_err(unavailable)?.rows_affected == 0 {
                    return Ok(false);
                }
                if !active {
                    sessions_but(id, None).exec(change).await.map_err(unavailable)?;
                    remembered_but(id, None).exec(change).await.map_err(unavailable)?;
                }
                append(change, entry).await?;
                Ok(true)
            })
            .await
    }

    async fn delete_user(&self, id: UserId, entry: &AuditEntry) -> Result<bool, StoreError> {
        let change = &self.write(Deadline::of_call()).await?;
        change
            .whole(|| async move {
                // The foreign keys take the user's sessions and remembered logins along.
                let deletion = Entity::delete_by_id(id.as_uuid()).exec(change).await;
                if deletion.map_err(unavailable)?.rows_affected == 0 {
                    return Ok(false);
                }
                append(change, entry).await?;
                Ok(true)
            })
            .await
    }
}
