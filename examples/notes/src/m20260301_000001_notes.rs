use sea_orm_migration::prelude::*;

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Migration)]
    }

    /// Returns a name of our own: Countersign records its migrations in the table with the default name.
    fn migration_table_name() -> DynIden {
        "notes_migrations".into_iden()
    }
}

#[derive(DeriveMigrationName)]
struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // Deleting an account deletes its notes.
        let mut user = ForeignKey::create()
            .from("notes", "user_id")
            .to("users", "id")
            .on_delete(ForeignKeyAction::Cascade)
            .take();
        let now = Expr::current_timestamp();
        let written = ColumnDef::new("created_at").timestamp().not_null().default(now).take();
        let notes = Table::create()
            .table("notes")
            .col(ColumnDef::new("id").integer().not_null().auto_increment().primary_key())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("text").text().not_null())
            .col(written)
            .foreign_key(&mut user)
            .take();
        schema.create_table(notes).await?;
        let index = Index::create().name("notes_user_id_idx").table("notes").col("user_id").take();
        schema.create_index(index).await
    }
}
