use countersign_domain::{Session, StoreError, TokenDigest, User};

use crate::call::Deadline;
use crate::database::SqlStore;
use crate::export::insert_rows;
use crate::limits::ROWS;
use crate::session::begin::session_row;
use crate::session::entity as session;
use crate::user::entity as user;

impl SqlStore {
    /// Saves users and sessions that no service has made, all of them or none. Nothing is written to
    /// the audit trail, and no session ends because a user has too many: this fills a database that
    /// is measured.
    ///
    /// # Errors
    ///
    /// When nothing was saved: one of them is there already, or the database cannot be written.
    pub async fn insert_all(
        &self,
        users: &[User],
        sessions: &[(Session, TokenDigest)],
    ) -> Result<(), StoreError> {
        let call = &self.write(Deadline::of_call()).await?;
        call.whole(|| async {
            for users in users.chunks(ROWS) {
                let rows = users.iter().map(user::Model::from).collect();
                insert_rows::<user::Entity>(call, rows).await?;
            }
            for sessions in sessions.chunks(ROWS) {
                let rows = sessions.iter().map(|(session, token)| session_row(session, token));
                insert_rows::<session::Entity>(call, rows.collect()).await?;
            }
            Ok(())
        })
        .await
    }
}
