use async_trait::async_trait;
use countersign_web::SqlStore;
use countersign_web::domain::{
    Basis, EmailAddress, Field, Keep, PasswordHash, Record, Renaming, SessionRenewal, StoreError,
    User, UserId, UserStore,
};
use sea_orm::prelude::Expr;
use sea_orm::{
    ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, SqlErr,
};

use super::sessions::{renew, unremember};
use super::{Answer, delete, end_all, holds, record_and_commit, the_member, update};
use crate::Members;
use crate::entity::member;
use crate::row::{moment, unavailable};

/// Returns why a member was not saved: the address may be another's.
fn not_saved(error: DbErr) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(what)) if what.contains("mail_key") => {
            StoreError::Taken(Field::Email)
        }
        _ => unavailable(error),
    }
}

#[async_trait]
impl UserStore for Members {
    async fn insert_user(&self, user: &User, record: &Record) -> Answer<()> {
        let row = member::ActiveModel::from(user);
        let change = self.begin().await?;
        let inserted = member::Entity::insert(row).exec_without_returning(&change).await;
        inserted.map_err(not_saved)?;
        record_and_commit(change, record).await
    }

    async fn user_by_id(&self, id: UserId) -> Answer<Option<User>> {
        let found = member::Entity::find().filter(member::Column::Uid.eq(id.as_uuid()));
        found.one(&self.db).await.map_err(unavailable)?.map(User::try_from).transpose()
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Answer<Option<User>> {
        let found = member::Entity::find().filter(member::Column::MailKey.eq(email.canonical()));
        found.one(&self.db).await.map_err(unavailable)?.map(User::try_from).transpose()
    }

    async fn list_users(&self, after: Option<UserId>, limit: u32) -> Answer<Vec<User>> {
        let after = after.map(|id| member::Column::Uid.gt(id.as_uuid()));
        let page = member::Entity::find().filter(Condition::all().add_option(after));
        let page = page.order_by_asc(member::Column::Uid).limit(u64::from(limit));
        let rows = page.all(&self.db).await.map_err(unavailable)?;
        rows.into_iter().map(User::try_from).collect()
    }

    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        renewal: Option<SessionRenewal<'_>>,
        record: &Record,
    ) -> Answer<bool> {
        let change = self.begin().await?;
        if let Some(renewal) = renewal {
            if !holds(&change, renewal.basis).await? {
                return Ok(false);
            }
            renew(&change, renewal).await?;
            // Otherwise the visit would end with its memory.
            unremember(&change, renewal.basis.session).await?;
        }
        let password = the_member(id)
            .col_expr(member::Column::Secret, Expr::value(hash.as_phc()))
            .col_expr(member::Column::ChangedAt, Expr::value(moment(record.at())));
        if !update(password, &change).await? {
            return Ok(false);
        }
        let keep = renewal.map(|renewal| Keep { session: renewal.basis.session, browser: None });
        end_all(&change, id, keep).await?;
        record_and_commit(change, record).await?;
        Ok(true)
    }

    async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Answer<bool> {
        let unchanged = the_member(id).filter(member::Column::Secret.eq(from.as_phc()));
        update(unchanged.col_expr(member::Column::Secret, Expr::value(to.as_phc())), &self.db).await
    }

    async fn rename_user(
        &self,
        id: UserId,
        to: Renaming<'_>,
        basis: Option<Basis<'_>>,
        record: &Record,
    ) -> Answer<bool> {
        let renaming =
            the_member(id).col_expr(member::Column::ChangedAt, Expr::value(moment(record.at())));
        let renaming = match to {
            Renaming::Email(email) => renaming
                .col_expr(member::Column::Mail, Expr::value(email.as_str()))
                .col_expr(member::Column::MailKey, Expr::value(email.canonical())),
            Renaming::Username(name) => {
                renaming.col_expr(member::Column::Nickname, Expr::value(name.as_str()))
            }
        };
        let change = self.begin().await?;
        if let Some(basis) = basis
            && !holds(&change, basis).await?
        {
            return Ok(false);
        }
        if renaming.exec(&change).await.map_err(not_saved)?.rows_affected == 0 {
            return Ok(false);
        }
        record_and_commit(change, record).await?;
        Ok(true)
    }

    async fn set_active(&self, id: UserId, active: bool, record: &Record) -> Answer<bool> {
        let change = self.begin().await?;
        let welcome = the_member(id)
            .col_expr(member::Column::IsWelcome, Expr::value(active))
            .col_expr(member::Column::ChangedAt, Expr::value(moment(record.at())));
        if !update(welcome, &change).await? {
            return Ok(false);
        }
        if !active {
            end_all(&change, id, None).await?;
        }
        record_and_commit(change, record).await?;
        Ok(true)
    }

    async fn delete_user(
        &self,
        id: UserId,
        basis: Option<Basis<'_>>,
        record: &Record,
    ) -> Answer<bool> {
        // Foreign keys delete the rows that belong to the member.
        let member = member::Entity::delete_many().filter(member::Column::Uid.eq(id.as_uuid()));
        let change = self.begin().await?;
        if let Some(basis) = basis
            && !holds(&change, basis).await?
        {
            return Ok(false);
        }
        if delete(member, &change).await? == 0 {
            return Ok(false);
        }
        SqlStore::forget(&change, id, None).await?;
        record_and_commit(change, record).await?;
        Ok(true)
    }
}
