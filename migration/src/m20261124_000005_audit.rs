mod triggers;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

use crate::column::{create_indexes, create_table, drop_table, moment, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // There is no foreign key to `users`, since the trail of an account outlives the account.
        let events = with_content(
            schema,
            table(schema, "audit_events")
                .col(ColumnDef::new("number").big_integer().not_null().primary_key())
                .col(ColumnDef::new("id").uuid().not_null())
                .take(),
        )
        .col(ColumnDef::new("hash").binary_len(32).not_null())
        .take();
        create_table(schema, "audit_events", events).await?;
        let ends = table(schema, "audit_ends")
            .col(ColumnDef::new("id").integer().not_null().primary_key())
            .col(ColumnDef::new("removed_number").big_integer().not_null())
            .col(ColumnDef::new("removed_hash").binary_len(32).not_null())
            .col(ColumnDef::new("cut_number").big_integer().not_null())
            .col(ColumnDef::new("last_number").big_integer().not_null())
            .col(ColumnDef::new("last_hash").binary_len(32).not_null())
            .col(ColumnDef::new("kept_for").big_integer().not_null())
            .col(ColumnDef::new("addresses_kept_for").big_integer().not_null())
            .take();
        create_table(schema, "audit_ends", ends).await?;
        let queue = with_content(
            schema,
            table(schema, "audit_queue")
                .col(ColumnDef::new("id").uuid().not_null().primary_key())
                .take(),
        )
        .col(ColumnDef::new("digest").binary_len(32).not_null())
        .take();
        create_table(schema, "audit_queue", queue).await?;
        let columns = [
            "id",
            "removed_number",
            "removed_hash",
            "cut_number",
            "last_number",
            "last_hash",
            "kept_for",
            "addresses_kept_for",
        ];
        let (zero, none) = (Expr::from(0_i64), Expr::from(vec![0_u8; 32]));
        let day = 24 * 60 * 60_i64;
        let (kept, addresses_kept) = (Expr::from(400 * day), Expr::from(90 * day));
        let empty =
            [1.into(), zero.clone(), none.clone(), zero.clone(), zero, none, kept, addresses_kept];
        let row = Query::insert()
            .into_table("audit_ends")
            .columns(columns)
            .values_panic(empty)
            .on_conflict(OnConflict::column("id").do_nothing_on(["id"]).to_owned())
            .take();
        schema.get_connection().execute(&row).await?;

        let index = |name| Index::create().name(name).table("audit_events").take();
        let indexes = [
            // Find the newest records of a user, and those of a kind.
            index("audit_events_user_id_number_idx").col("user_id").col("number").take(),
            index("audit_events_kind_number_idx").col("kind").col("number").take(),
            // Finds the records since a moment.
            index("audit_events_at_idx").col("at").take(),
            // Nothing is given a place twice.
            index("audit_events_id_key").col("id").unique().take(),
        ];
        create_indexes(schema, "audit_events", indexes).await?;
        triggers::create(schema).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // Dropping a table drops its triggers.
        drop_table(schema, "audit_queue").await?;
        drop_table(schema, "audit_events").await?;
        drop_table(schema, "audit_ends").await?;
        triggers::drop_functions(schema).await
    }
}

/// Adds the columns of what a record says.
fn with_content(
    schema: &SchemaManager<'_>,
    mut table: TableCreateStatement,
) -> TableCreateStatement {
    table
        .col(moment(schema, "at"))
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("reason").string_len(32).null())
        .col(ColumnDef::new("actor").string_len(32).not_null())
        .col(ColumnDef::new("actor_id").uuid().null())
        .col(ColumnDef::new("user_id").uuid().null())
        .col(ColumnDef::new("session_id").uuid().null())
        .col(ColumnDef::new("subject").string_len(160).null())
        .col(ColumnDef::new("address").string_len(45).null())
        .col(ColumnDef::new("user_agent").string_len(255).null())
        .col(ColumnDef::new("request_id").string_len(64).null())
        .col(ColumnDef::new("salt").binary_len(16).null())
        .col(ColumnDef::new("client_digest").binary_len(32).not_null());
    table
}
