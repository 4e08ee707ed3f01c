mod cost;
pub(crate) mod entity;
pub(crate) mod lock;

use async_trait::async_trait;
use countersign_domain::{
    Basis, EmailAddress, HashCount, Keep, PasswordHash, Record, Renaming, SessionRenewal,
    StoreError, User, UserId, UserStore, Username,
};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QueryResult, QuerySelect, Select,
};

use self::entity::{Column, Entity, Model};
use crate::audit::append::append;
use crate::call::{Deadline, transaction};
use crate::database::SqlStore;
use crate::ending::{end_all, forget};
use crate::error::{corrupt, not_saved, unavailable, unread};
use crate::row::moment;
use crate::session::basis::holds;
use crate::session::{renewed, unremembered};

impl From<&User> for Model {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.as_uuid(),
            email: user.email.as_str().to_owned(),
            email_canonical: user.email.canonical().to_owned(),
            username: user.username.as_str().to_owned(),
            password_hash: user.password_hash.as_ref().map(|hash| hash.as_phc().to_owned()),
            is_active: user.is_active,
            created_at: moment(user.created_at),
            updated_at: moment(user.updated_at),
        }
    }
}

impl TryFrom<Model> for User {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let email = EmailAddress::from_saved(row.email, row.email_canonical);
        let email = email.map_err(corrupt("users", "email"))?;
        let username = Username::from_saved(row.username).map_err(corrupt("users", "username"))?;
        let (id, created_at) = (UserId::from_uuid(row.id), row.created_at.assume_utc());
        let mut user = Self::new(id, email, username, created_at);
        user.password_hash = row.password_hash.map(PasswordHash::from_phc);
        user.is_active = row.is_active;
        user.updated_at = row.updated_at.assume_utc();
        Ok(user)
    }
}

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

impl SqlStore {
    async fn user(&self, query: Select<Entity>) -> Result<Option<User>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let row = query.one(&call).await.map_err(unread::<Entity>)?;
        row.map(User::try_from).transpose()
    }
}

#[async_trait]
impl UserStore for SqlStore {
    async fn insert_user(&self, user: &User, record: &Record) -> Result<(), StoreError> {
        let row = &Model::from(user).into_active_model();
        transaction!(self, Deadline::of_call(), |change| {
            let inserted = Entity::insert(row.clone()).exec_without_returning(change).await;
            inserted.map_err(not_saved)?;
            append(change, record).await
        })
    }

    async fn user_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.user(Entity::find_by_id(id.as_uuid())).await
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        self.user(by_email(email)).await
    }

    async fn list_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let call = self.read(Deadline::of_call()).await?;
        let rows = page(after, limit).all(&call).await.map_err(unread::<Entity>)?;
        rows.into_iter().map(User::try_from).collect()
    }

    async fn count_hashes(&self) -> Result<Vec<HashCount>, StoreError> {
        let question = cost::count(self.reader().get_database_backend());
        let call = self.read(Deadline::of_call()).await?;
        let rows = call.query_all_raw(question).await.map_err(unavailable)?;
        let count = |row: &QueryResult| {
            let cost = row.try_get_by_index(0).map_err(unavailable)?;
            let users: i64 = row.try_get_by_index(1).map_err(unavailable)?;
            Ok(HashCount { cost, users: users.unsigned_abs() })
        };
        rows.iter().map(count).collect()
    }

    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        renewal: Option<SessionRenewal<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let replacement = &Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(hash.as_phc()))
            .col_expr(Column::UpdatedAt, Expr::value(moment(record.at())))
            .filter(Column::Id.eq(id.as_uuid()));
        transaction!(self, Deadline::of_call(), |change| {
            let mut keep = None;
            if let Some(renewal) = renewal {
                if !holds(change, renewal.basis).await? {
                    return Ok(false);
                }
                let renewed = unremembered(renewed(renewal)).exec(change).await;
                renewed.map_err(unavailable)?;
                keep = Some(Keep { session: renewal.basis.session, browser: None });
            }
            if replacement.clone().exec(change).await.map_err(unavailable)?.rows_affected == 0 {
                return Ok(false);
            }
            end_all(change, id, keep).await?;
            append(change, record).await?;
            Ok(true)
        })
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

    async fn rename_user(
        &self,
        id: UserId,
        to: Renaming<'_>,
        basis: Option<Basis<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let renaming = Entity::update_many()
            .col_expr(Column::UpdatedAt, Expr::value(moment(record.at())))
            .filter(Column::Id.eq(id.as_uuid()));
        let renaming = &match to {
            Renaming::Email(email) => renaming
                .col_expr(Column::Email, Expr::value(email.as_str()))
                .col_expr(Column::EmailCanonical, Expr::value(email.canonical())),
            Renaming::Username(name) => {
                renaming.col_expr(Column::Username, Expr::value(name.as_str()))
            }
        };
        transaction!(self, Deadline::of_call(), |change| {
            if let Some(basis) = basis
                && !holds(change, basis).await?
            {
                return Ok(false);
            }
            if renaming.clone().exec(change).await.map_err(not_saved)?.rows_affected == 0 {
                return Ok(false);
            }
            append(change, record).await?;
            Ok(true)
        })
    }

    async fn set_active(
        &self,
        id: UserId,
        active: bool,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let switch = &Entity::update_many()
            .col_expr(Column::IsActive, Expr::value(active))
            .col_expr(Column::UpdatedAt, Expr::value(moment(record.at())))
            .filter(Column::Id.eq(id.as_uuid()));
        transaction!(self, Deadline::of_call(), |change| {
            if switch.clone().exec(change).await.map_err(unavailable)?.rows_affected == 0 {
                return Ok(false);
            }
            if !active {
                end_all(change, id, None).await?;
            }
            append(change, record).await?;
            Ok(true)
        })
    }

    async fn delete_user(
        &self,
        id: UserId,
        basis: Option<Basis<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        transaction!(self, Deadline::of_call(), |change| {
            if let Some(basis) = basis
                && !holds(change, basis).await?
            {
                return Ok(false);
            }
            // The foreign keys take the user's sessions and remembered logins along.
            let deletion = Entity::delete_by_id(id.as_uuid()).exec(change).await;
            if deletion.map_err(unavailable)?.rows_affected == 0 {
                return Ok(false);
            }
            forget(change, id, None).await?;
            append(change, record).await?;
            Ok(true)
        })
    }
}
