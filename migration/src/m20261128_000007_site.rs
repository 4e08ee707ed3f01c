use sea_orm_migration::prelude::*;

use crate::column::{create_table, drop_table, moment, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let secrets = table(schema, "site_secrets")
            .col(ColumnDef::new("name").string_len(32).not_null().primary_key())
            .col(ColumnDef::new("secret").binary_len(32).not_null())
            .take();
        create_table(schema, "site_secrets", secrets).await?;
        let cleaning = table(schema, "cleaning")
            .col(ColumnDef::new("id").integer().not_null().primary_key())
            .col(moment(schema, "at"))
            .take();
        create_table(schema, "cleaning", cleaning).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        drop_table(schema, "cleaning").await?;
        drop_table(schema, "site_secrets").await
    }
}
