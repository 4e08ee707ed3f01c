//! Functions that hide the differences between databases.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement};
use sea_orm_migration::sea_query::{
    Alias, ColumnDef, IndexCreateStatement, Table, TableCreateStatement,
};
use sea_orm_migration::{DbErr, SchemaManager};

/// The comment that marks our tables on MySQL.
const OURS: &str = "Countersign";

/// Returns the definition of a new table whose texts compare byte by byte. SQLite and PostgreSQL do so by
/// default. MySQL would treat `a` and `A` as equal, and so confuse tokens or password hashes.
pub(crate) fn table(schema: &SchemaManager<'_>, name: &'static str) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    if commits_each_statement(schema) {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin").comment(OURS);
    }
    table
}

/// Returns a column for a moment in UTC, to the microsecond. It is `NOT NULL` unless the caller adds `null`.
/// MySQL's plain `DATETIME` would round to seconds.
pub(crate) fn moment(schema: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match schema.get_database_backend() {
        DbBackend::MySql => column.custom(Alias::new("datetime(6)")),
        _ => column.date_time(),
    };
    column.not_null().take()
}

/// Tells whether the database commits each statement that changes the schema, as MySQL does. There a killed
/// run may already have done some steps; on other databases it leaves nothing behind.
fn commits_each_statement(schema: &SchemaManager<'_>) -> bool {
    schema.get_database_backend() == DbBackend::MySql
}

/// Creates a table. If another application has a table of that name, this is an error.
pub(crate) async fn create_table(
    schema: &SchemaManager<'_>,
    name: &'static str,
    table: TableCreateStatement,
) -> Result<(), DbErr> {
    if commits_each_statement(schema) && is_ours(schema, name).await? {
        return Ok(());
    }
    schema.create_table(table).await
}

async fn is_ours(schema: &SchemaManager<'_>, name: &'static str) -> Result<bool, DbErr> {
    let question = "SELECT 1 FROM information_schema.tables \
                    WHERE table_schema = DATABASE() AND table_name = ? AND table_comment = ?";
    let values = [name.into(), OURS.into()];
    let question = Statement::from_sql_and_values(DbBackend::MySql, question, values);
    Ok(schema.get_connection().query_one_raw(question).await?.is_some())
}

/// Creates the indexes of a table that are missing.
pub(crate) async fn create_indexes<const N: usize>(
    schema: &SchemaManager<'_>,
    table: &'static str,
    indexes: [IndexCreateStatement; N],
) -> Result<(), DbErr> {
    for index in indexes {
        let name = index.get_index_spec().get_name().unwrap_or_default();
        if !commits_each_statement(schema) || !schema.has_index(table, name).await? {
            schema.create_index(index).await?;
        }
    }
    Ok(())
}

/// Removes a table with its indexes and triggers.
pub(crate) async fn drop_table(
    schema: &SchemaManager<'_>,
    name: &'static str,
) -> Result<(), DbErr> {
    let mut removal = Table::drop();
    removal.table(name);
    if commits_each_statement(schema) {
        removal.if_exists();
    }
    schema.drop_table(removal).await
}
