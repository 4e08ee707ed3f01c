//! PostgreSQL says to whoever listens that the audit trail has grown. What waits for its place is not told,
//! but whoever wrote it knows.

use std::io;

use sea_orm::sqlx::postgres::PgListener;
use sea_orm::sqlx::{self, PgPool};
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

use crate::limits::ACQUIRE_TIMEOUT;

/// What the trigger on `audit_events` notifies.
const CHANNEL: &str = "countersign_audit";

/// A connection that listens, from when it is first asked on.
#[derive(Debug)]
pub(crate) struct Growth {
    pool: PgPool,
    listener: Mutex<Option<PgListener>>,
}

impl Growth {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, listener: Mutex::default() }
    }

    /// Returns when the trail has grown, or may have since nobody listened, or this process has written
    /// what waits for its place.
    pub(crate) async fn next(&self, writing: &Notify) -> Result<(), sqlx::Error> {
        let mut held = self.listener.lock().await;
        let Some(mut listener) = held.take() else {
            *held = Some(self.listen().await?);
            return Ok(());
        };
        // Dropped while it waits, it is gone, and the next to ask listens anew.
        let told = tokio::select! {
            told = listener.try_recv() => told?.is_some(),
            () = writing.notified() => true,
        };
        if !told {
            return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
        }
        while listener.next_buffered().is_some() {}
        *held = Some(listener);
        Ok(())
    }

    async fn listen(&self) -> Result<PgListener, sqlx::Error> {
        let listening = async {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        let listener = timeout(ACQUIRE_TIMEOUT, listening).await;
        listener.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    /// Closes the pool, too.
    pub(crate) async fn close(&self) {
        let closing = async {
            // From here on whoever waits is told, and lets go of the listener; nobody else does.
            let closing = self.pool.close();
            drop(self.listener.lock().await.take());
            closing.await;
        };
        // Waits neither for a silent server, nor for a listener that is gone.
        timeout(ACQUIRE_TIMEOUT, closing).await.ok();
    }
}
