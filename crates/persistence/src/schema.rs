//! That each entity says of its table what the migrations have made of it, on each database.

use std::collections::BTreeSet;

use sea_orm::sea_query::{ColumnType, StringLen};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, IdenStatic, Iterable,
    PrimaryKeyToColumn, Statement,
};
use tempfile::TempDir;

use crate::Database;
use crate::entity::{audit, known_browser, remembered, session, throttle, user};
use crate::server::TestDatabase;

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
        (ColumnType::Integer, _) | (ColumnType::BigInteger, DbBackend::Sqlite) => "integer",
        (ColumnType::BigInteger, _) => "bigint",
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

async fn compare_all(url: &str) {
    let database = Database::connect(url).await.unwrap();
    let db = database.connection();
    countersign_migration::up(db).await.unwrap();
    compare::<user::Entity>(db).await;
    compare::<session::Entity>(db).await;
    compare::<remembered::Entity>(db).await;
    compare::<throttle::Entity>(db).await;
    compare::<known_browser::Entity>(db).await;
    compare::<audit::event::Entity>(db).await;
    compare::<audit::ends::Entity>(db).await;
}

#[tokio::test]
async fn the_entities_say_what_the_tables_are() {
    let dir = TempDir::new().unwrap();
    compare_all(&format!("sqlite://{}?mode=rwc", dir.path().join("test.db").display())).await;
    for on in TestDatabase::of_each().await {
        compare_all(&on.url).await;
    }
}
