//! What the commands share: a runtime, the service over the configured database, and its users.

use std::future::Future;

use countersign_auth::Auth;
use countersign_domain::{EmailAddress, Store, User};

use super::failure::Failure;
use super::settings::Settings;
use crate::render::wording;
use crate::{Database, SqlStore};

/// What is wrong with a database in which nobody has made a site.
pub(crate) const NO_SITE: &str = "the configured database holds no site: name one that does with \
                                  --database-url, or make one with `countersign migrate up`";

/// Runs `work` to its end on a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::new)?.block_on(work)
}

/// Runs `work` with the service over the configured database, and closes the database.
pub(crate) fn with_auth(
    settings: &Settings,
    work: impl AsyncFnOnce(&Auth) -> Result<(), Failure>,
) -> Result<(), Failure> {
    block_on(async {
        let database = open(settings).await?;
        let auth = Auth::with(database.clone(), database.clock(), settings.auth());
        let done = work(&auth.map_err(Failure::new)?).await;
        database.close().await;
        done
    })
}

/// Opens the configured database, which must hold a site, and brings its schema up to date. Only `serve` and
/// `migrate up` make a site: a command in the wrong place must not answer for an empty one.
async fn open(settings: &Settings) -> Result<SqlStore, Failure> {
    let database = SqlStore::find(settings.database_url()).await.map_err(Failure::new)?;
    let status = countersign_migration::status(database.connection()).await;
    if !status.map_err(Failure::new)?.iter().any(|(_, applied)| *applied) {
        return Err(Failure::new(NO_SITE));
    }
    Database::migrated(database).await.map_err(Failure::new)
}

/// Finds the user whose email address was typed.
pub(crate) async fn find_by_email(auth: &Auth, typed: &str) -> Result<User, Failure> {
    let wrong = |error| Failure::new(format!("{typed:?}: {}", wording::email(error)));
    let email = EmailAddress::parse(typed).map_err(wrong)?;
    let user = auth.users().by_email(&email).await.map_err(|e| Failure::store(&e))?;
    user.ok_or_else(|| Failure::new(format!("there is no user with the email address {typed}")))
}
