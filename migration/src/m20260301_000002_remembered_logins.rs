use sea_orm_migration::prelude::*;

use crate::column::{create_indexes, create_table, drop_table, moment, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let logins = table(schema, "remembered_logins")
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("series_digest").binary_len(32).not_null())
            .col(ColumnDef::new("secret_digest").binary_len(32).not_null())
            .col(ColumnDef::new("previous_digest").binary_len(32).null())
            .col(ColumnDef::new("address").string_len(45).null())
            .col(ColumnDef::new("user_agent").string_len(255).null())
            .col(moment(schema, "created_at"))
            .col(moment(schema, "used_at"))
            .col(moment(schema, "expires_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("remembered_logins_user_id_fkey")
                    .from("remembered_logins", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        create_table(schema, "remembered_logins", logins).await?;

        let index = |name| Index::create().name(name).table("remembered_logins").take();
        let indexes = [
            // Finds the remembered login of a cookie. The secret is only compared.
            index("remembered_logins_series_digest_key").col("series_digest").unique().take(),
            // Finds the remembered logins of a user in order. Also serves the foreign key.
            index("remembered_logins_user_id_created_at_idx")
                .col("user_id")
                .col("created_at")
                .take(),
            // Finds what has expired, to delete it.
            index("remembered_logins_expires_at_idx").col("expires_at").take(),
        ];
        create_indexes(schema, "remembered_logins", indexes).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        drop_table(schema, "remembered_logins").await
    }
}
