//! A server of databases that is away when the program starts. The site is live meanwhile, and not ready.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use countersign_domain::Store;
use rocket::tokio::time::sleep;

use super::failure::Failure;
use crate::{Database, DatabaseError, Tables};

/// The pauses between two tries, each twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A database, which is to be waited for if its server was away.
pub(crate) struct Opened {
    pub(crate) database: Tables,
    pub(crate) waiting: Option<Waiting>,
}

/// Opens a database and brings its schema up to date, now or by [`Waiting::end`].
pub(crate) async fn open(url: &str) -> Result<Opened, DatabaseError> {
    match Database::connect(url).await {
        Ok(database) => Ok(Opened { database, waiting: None }),
        Err(error) if error.is_away() => {
            tracing::warn!(%error, "the database is away; it is tried again until it is there");
            let database = Tables::connect_later(url).await?;
            let (site, failure) = (database.clone(), Arc::default());
            let waiting = Waiting { url: url.into(), database: site, failure };
            Ok(Opened { database, waiting: Some(waiting) })
        }
        Err(error) => Err(error),
    }
}

/// What is done until the server is there. A clone is the same.
#[derive(Clone)]
pub(crate) struct Waiting {
    url: Arc<str>,
    /// That of the site.
    database: Tables,
    failure: Arc<OnceLock<Failure>>,
}

impl Waiting {
    /// Tries again and again, at most every few seconds, and then brings the schema up to date. Says
    /// whether all is well: what does not pass by itself, such as a wrong password, is a failure.
    pub(crate) async fn end(&self) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match Database::connect(&self.url).await {
                Ok(own) => {
                    own.close().await;
                    // If not now, it is read by whoever asks whether the site is ready.
                    self.database.read_clock().await.ok();
                    tracing::info!("the database is there");
                    return true;
                }
                Err(error) if error.is_away() => {
                    tracing::warn!(%error, "the database is still away");
                }
                Err(error) => {
                    // There is one end, and so one failure.
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
