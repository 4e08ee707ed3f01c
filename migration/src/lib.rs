//! The history of Countersign's database schema.
//!
//! [`up`] brings a database to the schema that this version of Countersign uses, [`down`] takes
//! steps back, [`status`] says where it stands. Any number of programs may do so at once: each
//! waits for the one before it. A run takes effect as a whole or not at all.
//!
//! # Adding a migration
//!
//! One file `m<date>_<number>_<subject>.rs`, named in [`Migrator`] after all others; the name of
//! the file is what the database remembers, so neither it nor what a released migration does ever
//! changes. It names tables and columns in plain text, since an entity says what the schema is
//! today and a migration what it was then.

mod column;
mod m20260301_000001_users;
mod m20260301_000002_remembered_logins;
mod m20260301_000003_sessions;
mod m20261124_000004_throttle;
mod m20261124_000005_audit;

use sea_orm_migration::sea_orm::{
    DatabaseConnection, DatabaseTransaction, EntityTrait, QueryOrder, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{IntoSchemaManagerConnection, seaql_migrations};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

/// What a database driver reports.
pub use sea_orm_migration::DbErr;

/// All migrations, the oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260301_000001_users::Migration),
            Box::new(m20260301_000002_remembered_logins::Migration),
            Box::new(m20260301_000003_sessions::Migration),
            Box::new(m20261124_000004_throttle::Migration),
            Box::new(m20261124_000005_audit::Migration),
        ]
    }
}

/// Applies all migrations that are pending, and returns their names.
///
/// # Errors
///
/// When nothing was changed: the database cannot be written, or holds a migration of a newer
/// version.
pub async fn up(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let transaction = lock(db).await?;
    let pending = status_of(&transaction).await?.into_iter().filter(|(_, applied)| !applied);
    let pending = pending.map(|(name, _)| name).collect();
    Migrator::up(&transaction, None).await?;
    transaction.commit().await?;
    Ok(pending)
}

/// Reverts the last `steps` migrations that were applied, and returns their names, the newest
/// first. What was saved in the tables that they made is lost.
///
/// # Errors
///
/// When nothing was changed: the database cannot be written, or holds a migration of a newer
/// version.
pub async fn down(db: &DatabaseConnection, steps: u32) -> Result<Vec<String>, DbErr> {
    let transaction = lock(db).await?;
    let applied = status_of(&transaction).await?.into_iter().filter(|(_, applied)| *applied);
    let last = applied.map(|(name, _)| name).rev().take(steps as usize).collect();
    Migrator::down(&transaction, Some(steps)).await?;
    transaction.commit().await?;
    Ok(last)
}

/// Each migration, the oldest first, and whether it is applied. Writes nothing.
///
/// # Errors
///
/// When the database cannot be read, or holds a migration of a newer version.
pub async fn status(db: &DatabaseConnection) -> Result<Vec<(String, bool)>, DbErr> {
    status_of(db).await
}

async fn status_of<'c, C>(db: C) -> Result<Vec<(String, bool)>, DbErr>
where
    C: IntoSchemaManagerConnection<'c>,
{
    let schema = SchemaManager::new(db);
    let mut applied = Vec::new();
    if schema.has_table("seaql_migrations").await? {
        let all = seaql_migrations::Entity::find();
        let all = all.order_by_asc(seaql_migrations::Column::Version);
        let rows = all.all(schema.get_connection()).await?;
        applied.extend(rows.into_iter().map(|row| row.version));
    }
    let known: Vec<_> = Migrator::migrations().iter().map(|m| m.name().to_owned()).collect();
    if let Some(unknown) = applied.iter().find(|name| !known.contains(name)) {
        return Err(DbErr::Migration(format!(
            "the database holds the migration {unknown}, which this version of Countersign does \
             not know; a newer version has been run on it"
        )));
    }
    Ok(known.into_iter().map(|name| (name.clone(), applied.contains(&name))).collect())
}

/// Keeps every other writer out until the transaction ends. SQLite changes its schema within a
/// transaction, and the immediate kind waits for the writer before it, where the ordinary kind
/// fails as soon as it turns from reading to writing.
async fn lock(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    db.begin_with_options(TransactionOptions { sqlite_transaction_mode, ..Default::default() })
        .await
}
