use sea_orm_migration::prelude::*;

use crate::column::{moment, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let counters = table(schema, "throttle_counters")
            .col(ColumnDef::new("key").binary_len(32).not_null().primary_key())
            .col(ColumnDef::new("tries").integer().not_null())
            .col(moment(schema, "since"))
            .col(moment(schema, "forgotten_at"))
            .take();
        schema.create_table(counters).await?;
        // No key to `users`: who is throttled is no fact about an account, and an application may
        // keep its users elsewhere.
        let browsers = table(schema, "known_browsers")
            .col(ColumnDef::new("token_digest").binary_len(32).not_null().primary_key())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(moment(schema, "created_at"))
            .col(moment(schema, "expires_at"))
            .take();
        schema.create_table(browsers).await?;

        let index = |table, name| Index::create().name(name).table(table).take();
        for index in [
            // Purged.
            index("throttle_counters", "throttle_counters_forgotten_at_idx")
                .col("forgotten_at")
                .take(),
            index("known_browsers", "known_browsers_expires_at_idx").col("expires_at").take(),
            // A user's browsers in order: limited and forgotten.
            index("known_browsers", "known_browsers_user_id_created_at_idx")
                .col("user_id")
                .col("created_at")
                .take(),
        ] {
            schema.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema.drop_table(Table::drop().table("known_browsers").take()).await?;
        schema.drop_table(Table::drop().table("throttle_counters").take()).await
    }
}
