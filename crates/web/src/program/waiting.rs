//! Waits for a database server that is away when the program starts. Until it answers, the site is
//! live but not ready.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use countersign_domain::Store;
use rocket::tokio::time::sleep;

use super::failure::Failure;
use crate::{Database, DatabaseError, SqlStore};

/// The pauses between tries; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A database, and what is left to do if its server was away.
pub(crate) struct Opened {
    pub(crate) database: SqlStore,
    pub(crate) waiting: Option<Waiting>,
}

/// Opens a database and brings its schema up to date, now or in [`Waiting::end`].
pub(crate) async fn open(url: &str) -> Result<Opened, DatabaseError> {
    match Database::connect(url).await {
        Ok(database) => Ok(Opened { database, waiting: None }),
        Err(error) if error.is_away() => {
            tracing::warn!(%error, "the database is away; connecting is tried again until it answers");
            let database = SqlStore::connect_later(url).await?;
            let (site, failure) = (database.clone(), Arc::default());
            let waiting = Waiting { url: url.into(), database: site, failure };
            Ok(Opened { database, waiting: Some(waiting) })
        }
        Err(error) => Err(error),
    }
}

/// Waits for the server. Clones share the outcome.
#[derive(Clone)]
pub(crate) struct Waiting {
    url: Arc<str>,
    /// The database of the site.
    database: SqlStore,
    failure: Arc<OnceLock<Failure>>,
}

impl Waiting {
    /// Tries to connect every few seconds, then brings the schema up to date. Returns whether that
    /// worked: an error that does not pass by itself, such as a wrong password, ends the wait.
    pub(crate) async fn end(&self) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match Database::connect(&self.url).await {
                Ok(own) => {
                    own.close().await;
                    // If this fails, the check of readiness reads the clock.
                    self.database.read_clock().await.ok();
                    tracing::info!("the database answers");
                    return true;
                }
                Err(error) if error.is_away() => {
                    tracing::warn!(%error, "the database is still away");
                }
                Err(error) => {
                    // The loop ends here, so there is only one failure.
                    let _ = self.failure.set(Failure::new(error));
                    return false;
                }
            }
        }
    }

    pub(crate) fn failure(self) -> Option<Failure> {
        self.failure.get().cloned()
    }
}
