use sea_orm_migration::prelude::*;

use crate::column::{create_indexes, create_table, drop_table, moment, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let sessions = table(schema, "sessions")
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("remembered_id").uuid().null())
            .col(ColumnDef::new("token_digest").binary_len(32).not_null())
            .col(ColumnDef::new("address").string_len(45).null())
            .col(ColumnDef::new("user_agent").string_len(255).null())
            .col(moment(schema, "created_at"))
            .col(moment(schema, "authenticated_at").null())
            .col(ColumnDef::new("methods").string_len(255).not_null())
            .col(moment(schema, "last_seen_at"))
            .col(moment(schema, "expires_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("sessions_user_id_fkey")
                    .from("sessions", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .foreign_key(
                ForeignKey::create()
                    .name("sessions_remembered_id_fkey")
                    .from("sessions", "remembered_id")
                    .to("remembered_logins", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        create_table(schema, "sessions", sessions).await?;

        let index = |name| Index::create().name(name).table("sessions").take();
        let indexes = [
            // Finds the session of a token.
            index("sessions_token_digest_key").col("token_digest").unique().take(),
            // Finds the sessions of a user in order. Also serves the foreign key.
            index("sessions_user_id_created_at_idx").col("user_id").col("created_at").take(),
            // Finds the sessions that end with a remembered login, for the foreign key.
            index("sessions_remembered_id_idx").col("remembered_id").take(),
            // Find sessions that have expired or were idle for too long, to delete them.
            index("sessions_expires_at_idx").col("expires_at").take(),
            index("sessions_last_seen_at_idx").col("last_seen_at").take(),
        ];
        create_indexes(schema, "sessions", indexes).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        drop_table(schema, "sessions").await
    }
}
