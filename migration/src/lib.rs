//! The history of Countersign's database schema.
//!
//! [`up`] brings a database to the schema that this version of Countersign uses, [`down`] reverts
//! migrations, and [`status`] lists them. Any number of programs may do so at once: each waits for the one
//! before it. On SQLite and PostgreSQL a run takes effect as a whole or not at all. MySQL and MariaDB commit
//! each statement that changes the schema. There each migration is recorded when it is complete, and the
//! next run completes one that was interrupted.
//!
//! # Adding a migration
//!
//! Write a file `m<date>_<number>_<subject>.rs`, and add it to [`Migrator`] after all others. The database
//! records the name of the file. Never change the name or the content of a released migration. A migration
//! names tables and columns in plain text, since an entity describes the schema of today and a migration an
//! older one. The module `column` hides the differences between databases, and skips the steps that an
//! interrupted run on MySQL has already done.

mod column;
mod m20260301_000001_users;
mod m20260301_000002_remembered_logins;
mod m20260301_000003_sessions;
mod m20261124_000004_throttle;
mod m20261124_000005_audit;
mod m20261128_000006_pending_logins;
mod m20261128_000007_site;
mod run;

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use sea_orm_migration::sea_orm::{ActiveValue, DatabaseConnection, EntityTrait, QueryOrder};
use sea_orm_migration::seaql_migrations;
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

use run::Run;

/// The error of a database driver.
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
            Box::new(m20261128_000006_pending_logins::Migration),
            Box::new(m20261128_000007_site::Migration),
        ]
    }
}

/// The progress of a migration that takes long.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The name of the migration.
    pub name: &'a str,
    /// Its number in this run, from 1.
    pub number: usize,
    /// The number of migrations in this run.
    pub of: usize,
    /// The time that it has taken so far.
    pub taken: Duration,
}

/// The interval at which the progress of a migration is reported.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Applies all pending migrations, and returns their names.
///
/// # Errors
///
/// When the database cannot be written, or contains a migration of a newer version. The documentation of
/// this crate says what a failed run leaves behind.
pub async fn up(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    up_telling(db, |_| {}).await
}

/// Does the same as [`up`], and calls `tell` every five seconds while a migration runs.
///
/// # Errors
///
/// The same as for [`up`].
pub async fn up_telling(
    db: &DatabaseConnection,
    tell: impl Fn(Progress<'_>) + Send,
) -> Result<Vec<String>, DbErr> {
    let run = Run::begin(db).await?;
    let schema = run.schema();
    let pending: Vec<_> = of_state(&schema, false).await?;
    if !pending.is_empty() {
        // Only here, so that a run with nothing to do needs no right to create tables.
        Migrator::install(schema.get_connection()).await?;
    }
    for (done, migration) in pending.iter().enumerate() {
        let name = migration.name();
        let (number, of) = (done + 1, pending.len());
        told(migration.up(&schema), |taken| tell(Progress { name, number, of, taken })).await?;
        note(&schema, name).await?;
    }
    run.end().await?;
    Ok(names(&pending))
}

/// Returns the names of the migrations that [`down`] would revert, newest first. Changes nothing.
///
/// # Errors
///
/// As those of [`down`] that come before a change.
pub async fn last(db: &DatabaseConnection, steps: u32) -> Result<Vec<String>, DbErr> {
    let begun = run::begin_unprepared(db).await?;
    Ok(names(&last_of(&SchemaManager::new(&begun), steps).await?))
}

/// Reverts the last `steps` migrations that were applied, and returns their names, newest first. The data in
/// the tables that they created is lost.
///
/// # Errors
///
/// When fewer migrations are applied, the database cannot be written, or it contains a migration of a newer
/// version.
pub async fn down(db: &DatabaseConnection, steps: u32) -> Result<Vec<String>, DbErr> {
    let run = Run::begin(db).await?;
    let schema = run.schema();
    let last = last_of(&schema, steps).await?;
    for migration in &last {
        // The record is removed first, so that after an interrupted run on MySQL the next `up` creates what
        // is missing.
        let noted = seaql_migrations::Entity::delete_by_id(migration.name());
        noted.exec(schema.get_connection()).await?;
        migration.down(&schema).await?;
    }
    run.end().await?;
    Ok(names(&last))
}

/// Returns the last `steps` migrations that are applied, newest first.
async fn last_of(
    schema: &SchemaManager<'_>,
    steps: u32,
) -> Result<Vec<Box<dyn MigrationTrait>>, DbErr> {
    let applied = of_state(schema, true).await?;
    let count = applied.len();
    if steps as usize > count {
        return Err(DbErr::Custom(format!(
            "cannot revert {steps} migrations, since only {count} are applied; nothing was reverted"
        )));
    }
    Ok(applied.into_iter().rev().take(steps as usize).collect())
}

fn names(migrations: &[Box<dyn MigrationTrait>]) -> Vec<String> {
    migrations.iter().map(|migration| migration.name().to_owned()).collect()
}

/// Returns the migrations that are applied, or those that are pending, oldest first.
async fn of_state(
    schema: &SchemaManager<'_>,
    applied: bool,
) -> Result<Vec<Box<dyn MigrationTrait>>, DbErr> {
    let status = status_of(schema).await?;
    let all = Migrator::migrations().into_iter().zip(status);
    Ok(all.filter(|(_, (_, is))| *is == applied).map(|(migration, _)| migration).collect())
}

async fn note(schema: &SchemaManager<'_>, name: &str) -> Result<(), DbErr> {
    #[expect(clippy::disallowed_methods, reason = "only people read this time")]
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let row = seaql_migrations::ActiveModel {
        version: ActiveValue::Set(name.to_owned()),
        applied_at: ActiveValue::Set(since.map_or(0, |since| since.as_secs().cast_signed())),
    };
    let noting = seaql_migrations::Entity::insert(row);
    noting.exec_without_returning(schema.get_connection()).await.map(drop)
}

/// Awaits the work, and reports at regular intervals how long it has taken.
async fn told<T>(work: impl Future<Output = T>, tell: impl Fn(Duration)) -> T {
    let (mut work, mut taken) = (pin!(work), Duration::ZERO);
    loop {
        match tokio::time::timeout(TELL_EVERY, work.as_mut()).await {
            Ok(done) => return done,
            Err(_) => {
                taken += TELL_EVERY;
                tell(taken);
            }
        }
    }
}

/// Returns the name of each migration, oldest first, and whether it is applied. Writes nothing.
///
/// # Errors
///
/// When the database cannot be read, or contains a migration of a newer version.
pub async fn status(db: &DatabaseConnection) -> Result<Vec<(String, bool)>, DbErr> {
    status_of(&SchemaManager::new(&run::begin_unprepared(db).await?)).await
}

async fn status_of(schema: &SchemaManager<'_>) -> Result<Vec<(String, bool)>, DbErr> {
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
            "the database contains the migration {unknown}, which this version of Countersign does \
             not know; it was probably migrated by a newer version"
        )));
    }
    Ok(known.into_iter().map(|name| (name.clone(), applied.contains(&name))).collect())
}
