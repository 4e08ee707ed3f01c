//! Users in an application's own table: a store for Countersign that reads and writes `members`.

mod entity;
mod row;
mod store;

use std::error::Error;

use countersign_web::domain::{StoreError, UserId};
use countersign_web::{Auth, AuthPages, CurrentUser, SqlStore, login_required};
use rocket::http::Status;
use rocket::{Build, Rocket, State, get, routes};
use sea_orm::{ColumnTrait, ConnectOptions, ConnectionTrait, DatabaseConnection};
use sea_orm::{DatabaseTransaction, EntityTrait, QueryFilter, Schema, SqliteTransactionMode};
use sea_orm::{TransactionOptions, TransactionTrait};

use entity::{member, memory, visit};

/// The members, in an SQLite database. A clone uses the same database.
#[derive(Clone, Debug)]
pub struct Members {
    db: DatabaseConnection,
    /// Countersign's own tables in the same database, for everything but members and their sessions. They use
    /// the same single connection, so nothing may ask them while a change of members is open.
    tables: SqlStore,
}

impl Members {
    /// Opens the database, and creates the tables that are missing.
    ///
    /// # Errors
    ///
    /// When the database cannot be opened, or a table cannot be created.
    pub async fn open(url: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut options = ConnectOptions::new(url);
        // SQLite has one writer. With one connection, the writers of this program wait for each other.
        options.max_connections(1).sqlx_logging(false);
        let db = sea_orm::Database::connect(options).await?;
        let schema = Schema::new(db.get_database_backend());
        // A real application creates the tables in its migrations, with an index on each column that is
        // searched.
        for mut table in [
            schema.create_table_from_entity(member::Entity),
            schema.create_table_from_entity(memory::Entity),
            schema.create_table_from_entity(visit::Entity),
        ] {
            db.execute(table.if_not_exists()).await?;
        }
        let tables = countersign_web::Database::migrated(SqlStore::over(db.clone())).await?;
        Ok(Self { db, tables })
    }

    /// Returns the application's own key of a user.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn number(&self, id: UserId) -> Result<Option<i32>, StoreError> {
        let member = member::Entity::find().filter(member::Column::Uid.eq(id.as_uuid()));
        let found = member.one(&self.db).await.map_err(row::unavailable)?;
        Ok(found.map(|member| member.number))
    }

    /// Begins a change, which locks out every other writer until it ends. A deferred transaction would fail
    /// if another program had written between its first read and its first write.
    async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..Default::default() };
        self.db.begin_with_options(options).await.map_err(row::unavailable)
    }
}

/// Builds the application.
pub fn app(auth: Auth, members: Members) -> Rocket<Build> {
    rocket::build()
        .attach(AuthPages::at("/", auth).site_name("The club").login_redirect("/card"))
        .manage(members)
        .mount("/", login_required(routes![card]))
}

#[get("/card")]
async fn card(me: CurrentUser<'_>, members: &State<Members>) -> Result<String, Status> {
    match members.number(me.id).await {
        Ok(Some(number)) => Ok(format!("{} is member number {number}.\n", me.username)),
        Ok(None) => Err(Status::NotFound),
        Err(_) => Err(Status::ServiceUnavailable),
    }
}
