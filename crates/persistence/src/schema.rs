//! That each entity says of its table what the migrations have made of it, on each database.

use std::collections::BTreeSet;

use sea_orm::sea_query::{ColumnType, StringLen};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityName, EntityTrait,
    IdenStatic, Iterable, PrimaryKeyToColumn, Statement,
};
use tempfile::TempDir;

use crate::database::SqlStore;
use crate::server::TestDatabase;
use crate::tables::{with_each_growing_table, with_each_moving_table, with_each_table};

/// `column type` or `column type null` for each column, and `unique column` for each key of one.
type Table = BTreeSet<String>;

/// The types of a table, as the entity's type in Rust needs them.
fn types(column: &ColumnType, backend: DbBackend) -> &'static str {
    match (column, backend) {
        (ColumnType::Uuid, DbBackend::Postgres) => "uuid",
        (ColumnType::Uuid, DbBackend::MySql) => "binary",
        (ColumnType::Uuid, _) => "uuid_text",
        (ColumnType::String(StringLen::None | StringLen::N(_)), DbBackend::Postgres) => {
            "character varying"
        }
        (ColumnType::String(_), _) => "varchar",
        (ColumnType::Boolean, DbBackend::MySql) => "tinyint",
        (ColumnType::Boolean, _) => "boolean",
        (ColumnType::DateTime, DbBackend::Postgres) => "timestamp without time zone",
        (ColumnType::DateTime, DbBackend::MySql) => "datetime",
        (ColumnType::DateTime, _) => "datetime_text",
        (ColumnType::Integer, DbBackend::MySql) => "int",
        (ColumnType::BigInteger, DbBackend::Sqlite) | (ColumnType::Integer, _) => "integer",
        (ColumnType::BigInteger, _) => "bigint",
        (ColumnType::VarBinary(StringLen::N(_)), DbBackend::Sqlite) => "varbinary_blob",
        (ColumnType::VarBinary(StringLen::N(_)), DbBackend::MySql) => "varbinary",
        (ColumnType::Blob | ColumnType::VarBinary(_) | ColumnType::Binary(_), db) => match db {
            DbBackend::Postgres => "bytea",
            DbBackend::MySql => "binary",
            _ => "blob",
        },
        other => panic!("{other:?}"),
    }
}

fn entity<E: EntityTrait>(backend: DbBackend) -> Table {
    let mut table = Table::new();
    for column in E::Column::iter() {
        let (name, def) = (column.as_str(), column.def());
        let null = if def.is_null() { " null" } else { "" };
        table.insert(format!("{name} {}{null}", types(def.get_column_type(), backend)));
        if def.is_unique() {
            table.insert(format!("unique {name}"));
        }
    }
    for key in E::PrimaryKey::iter() {
        table.insert(format!("unique {}", key.into_column().as_str()));
    }
    table
}

async fn found(db: &DatabaseConnection, table: &str) -> Table {
    let backend = db.get_database_backend();
    let questions = match backend {
        DbBackend::Sqlite => [
            "SELECT name || ' ' || lower(CASE WHEN type LIKE '%(%' THEN substr(type, 1, \
             instr(type, '(') - 1) ELSE type END) || iif(\"notnull\" OR pk, '', ' null') \
             FROM pragma_table_info('@table')",
            "SELECT 'unique ' || i.name FROM pragma_index_list('@table') l, \
             pragma_index_info(l.name) i WHERE l.\"unique\" GROUP BY l.name HAVING count(*) = 1 \
             UNION SELECT 'unique ' || name FROM pragma_table_info('@table') WHERE pk",
        ],
        DbBackend::Postgres => [
            "SELECT column_name || ' ' || data_type || \
             CASE is_nullable WHEN 'YES' THEN ' null' ELSE '' END FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '@table'",
            "SELECT 'unique ' || max(a.attname::text) FROM pg_index i JOIN pg_attribute a \
             ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
             WHERE i.indrelid = '@table'::regclass AND i.indisunique \
             GROUP BY i.indexrelid HAVING count(*) = 1",
        ],
        _ => [
            "SELECT CONCAT(column_name, ' ', data_type, IF(is_nullable = 'YES', ' null', '')) \
             FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = '@table'",
            "SELECT CONCAT('unique ', MAX(column_name)) FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND table_name = '@table' AND NOT non_unique \
             GROUP BY index_name HAVING COUNT(*) = 1",
        ],
    };
    let mut all = Table::new();
    for question in questions {
        let question = Statement::from_string(backend, question.replace("@table", table));
        let rows = db.query_all_raw(question).await.unwrap();
        all.extend(rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()));
    }
    all
}

async fn compare<E: EntityTrait>(db: &DatabaseConnection) {
    let table = E::default().table_name().to_owned();
    let expected = entity::<E>(db.get_database_backend());
    assert_eq!(found(db, &table).await, expected, "{table} on {:?}", db.get_database_backend());
}

/// The names of all tables that there are.
async fn tables(db: &DatabaseConnection) -> BTreeSet<String> {
    let backend = db.get_database_backend();
    let question = match backend {
        DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
        DbBackend::Postgres => {
            "SELECT table_name::text FROM information_schema.tables \
             WHERE table_schema = current_schema()"
        }
        _ => "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
    };
    let rows = db.query_all_raw(Statement::from_string(backend, question)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect()
}

async fn compare_all(url: &str) {
    let database = SqlStore::connect(url).await.unwrap();
    let db = database.connection();
    countersign_migration::up(db).await.unwrap();
    let mut named = BTreeSet::from(["seaql_migrations".to_owned()]);
    with_each_table!(Table => {
        compare::<Table>(db).await;
        named.insert(Table::default().table_name().to_owned());
        // Tables are read in the order of one column.
        assert_eq!(<Table as EntityTrait>::PrimaryKey::iter().count(), 1);
    });
    assert_eq!(tables(db).await, named, "on {:?}", db.get_database_backend());
}

#[tokio::test]
async fn the_entities_say_what_the_tables_are() {
    let dir = TempDir::new().unwrap();
    compare_all(&format!("sqlite://{}?mode=rwc", dir.path().join("test.db").display())).await;
    for on in TestDatabase::of_each().await {
        compare_all(&on.url).await;
    }
}
