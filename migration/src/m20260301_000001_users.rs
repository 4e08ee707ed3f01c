use sea_orm_migration::prelude::*;

use crate::column::{create_indexes, create_table, drop_table, moment, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let users = table(schema, "users")
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("email").string_len(254).not_null())
            .col(ColumnDef::new("email_canonical").string_len(254).not_null())
            .col(ColumnDef::new("username").string_len(64).not_null())
            .col(ColumnDef::new("password_hash").string_len(255).null())
            .col(ColumnDef::new("is_active").boolean().not_null().default(true))
            .col(moment(schema, "created_at"))
            .col(moment(schema, "updated_at"))
            .take();
        create_table(schema, "users", users).await?;
        // Makes email addresses unique, and finds the user at a login.
        let email = Index::create()
            .name("users_email_canonical_key")
            .table("users")
            .col("email_canonical")
            .unique()
            .take();
        create_indexes(schema, "users", [email]).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        drop_table(schema, "users").await
    }
}
