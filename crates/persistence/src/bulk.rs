use countersign_domain::{Session, StoreError, TokenDigest, User};
use sea_orm::{EntityTrait, IntoActiveModel};

use crate::Database;
use crate::call::Deadline;
use crate::entity::{session, user};
use crate::error::unavailable;
use crate::row::session_row;

/// Rows of one statement: with ten columns each they stay below the 32,766 values that SQLite takes.
const ROWS: usize = 1_000;

impl Database {
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
                let rows = users.iter().map(|user| user::Model::from(user).into_active_model());
                let insertion = user::Entity::insert_many(rows);
                insertion.exec_without_returning(call).await.map_err(unavailable)?;
            }
            for sessions in sessions.chunks(ROWS) {
                let rows = sessions.iter().map(|(session, token)| session_row(session, token));
                let insertion =
                    session::Entity::insert_many(rows.map(IntoActiveModel::into_active_model));
                insertion.exec_without_returning(call).await.map_err(unavailable)?;
            }
            Ok(())
        })
        .await
    }
}
