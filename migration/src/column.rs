//! What differs between databases.

use sea_orm_migration::SchemaManager;
use sea_orm_migration::sea_orm::DbBackend;
use sea_orm_migration::sea_query::{Alias, ColumnDef, Table, TableCreateStatement};

/// A new table whose texts compare byte by byte. SQLite and PostgreSQL compare so unless told
/// otherwise; MySQL would take `a` for `A`, and one token or password hash for another.
pub(crate) fn table(schema: &SchemaManager<'_>, name: &'static str) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    if schema.get_database_backend() == DbBackend::MySql {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
    }
    table
}

/// A moment in UTC, to the microsecond; there is one unless the caller says `null`. MySQL's plain `DATETIME` rounds to seconds.
pub(crate) fn moment(schema: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match schema.get_database_backend() {
        DbBackend::MySql => column.custom(Alias::new("datetime(6)")),
        _ => column.date_time(),
    };
    column.not_null().take()
}
