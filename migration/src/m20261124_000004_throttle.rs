use sea_orm_migration::prelude::*;

use crate::column::{create_indexes, create_table, drop_table, moment, table};

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
        create_table(schema, "throttle_counters", counters).await?;
        // There is no foreign key to `users`, since an application may keep its users elsewhere.
        let browsers = table(schema, "known_browsers")
            .col(ColumnDef::new("token_digest").binary_len(32).not_null().primary_key())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(moment(schema, "created_at"))
            .col(moment(schema, "used_at"))
            .col(ColumnDef::new("is_proven").boolean().not_null())
            .col(moment(schema, "expires_at"))
            .take();
        create_table(schema, "known_browsers", browsers).await?;

        let index = |table, name| Index::create().name(name).table(table).take();
        // Finds counters that have run out, to delete them.
        let forgotten = index("throttle_counters", "throttle_counters_forgotten_at_idx")
            .col("forgotten_at")
            .take();
        create_indexes(schema, "throttle_counters", [forgotten]).await?;
        let browsers = |name| index("known_browsers", name);
        let indexes = [
            // Finds browsers that have expired, to delete them.
            browsers("known_browsers_expires_at_idx").col("expires_at").take(),
            // Finds the browsers of a user in order.
            browsers("known_browsers_user_id_created_at_idx")
                .col("user_id")
                .col("created_at")
                .take(),
        ];
        create_indexes(schema, "known_browsers", indexes).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        drop_table(schema, "known_browsers").await?;
        drop_table(schema, "throttle_counters").await
    }
}
