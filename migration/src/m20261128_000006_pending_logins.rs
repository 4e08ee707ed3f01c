use sea_orm_migration::prelude::*;

use crate::column::{create_indexes, create_table, drop_table, moment, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // There is no foreign key to `users`, since an application may keep its users elsewhere.
        let pending = table(schema, "pending_logins")
            .col(ColumnDef::new("token_digest").binary_len(32).not_null().primary_key())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("methods").string_len(255).not_null())
            .col(ColumnDef::new("password_digest").binary_len(32).null())
            .col(ColumnDef::new("remember").boolean().not_null())
            .col(ColumnDef::new("counted").var_binary(1024).not_null())
            .col(ColumnDef::new("tries").integer().not_null())
            .col(moment(schema, "created_at"))
            .col(moment(schema, "expires_at"))
            .take();
        create_table(schema, "pending_logins", pending).await?;

        let index = |name| Index::create().name(name).table("pending_logins").take();
        let indexes = [
            // Finds the logins of a user in order.
            index("pending_logins_user_id_created_at_idx").col("user_id").col("created_at").take(),
            // Finds logins that have expired, to delete them.
            index("pending_logins_expires_at_idx").col("expires_at").take(),
        ];
        create_indexes(schema, "pending_logins", indexes).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        drop_table(schema, "pending_logins").await
    }
}
