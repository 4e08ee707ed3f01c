use countersign_domain::{SecretToken, Session, SessionId, StoreError, User, UserId};

use crate::Auth;

/// A user who has shown the token of a session that stands.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// Who it is.
    pub user: User,
    /// The session they are in.
    pub session: Session,
    /// Whether they proved who they are a short while ago.
    pub is_fresh: bool,
}

impl Auth {
    /// Who shows this token; `None` when it is the token of no session that stands, or the user has
    /// been disabled.
    ///
    /// # Errors
    ///
    /// When the store cannot say. That is not the same as nobody.
    pub async fn authenticate(
        &self,
        token: &SecretToken,
    ) -> Result<Option<Authenticated>, StoreError> {
        let found = self.store.session_by_token(&token.digest()).await?;
        let (now, lifetimes) = (self.clock.now(), &self.config.sessions.lifetimes);
        let stands =
            |(session, user): &(Session, User)| user.is_active && session.is_live(now, lifetimes);
        let Some((session, user)) = found.filter(stands) else {
            return Ok(None);
        };
        if now - session.last_seen_at >= lifetimes.touch_interval() {
            // Whoever was seen is still who they are when that cannot be written down.
            if let Err(error) = self.store.touch_session(session.id, now).await {
                tracing::warn!(%error, session = %session.id, "the last use was not noted");
            }
        }
        let is_fresh = session.is_fresh(now, lifetimes);
        Ok(Some(Authenticated { user, session, is_fresh }))
    }

    /// Ends a session. It makes no difference whether it has ended already.
    ///
    /// # Errors
    ///
    /// When it may still stand.
    pub async fn log_out(&self, session: &Session) -> Result<(), StoreError> {
        self.store.end_session(session.user_id, session.id).await.map(|_| ())
    }

    /// The sessions of a user that stand, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn sessions(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        let mut sessions = self.store.sessions_of(user).await?;
        let now = self.clock.now();
        sessions.retain(|session| session.is_live(now, &self.config.sessions.lifetimes));
        Ok(sessions)
    }

    /// Ends one session of a user. False when they have none of that id.
    ///
    /// # Errors
    ///
    /// When it may still stand.
    pub async fn revoke(&self, user: UserId, session: SessionId) -> Result<bool, StoreError> {
        self.store.end_session(user, session).await
    }

    /// Ends all sessions of a user except `keep`, and says how many.
    ///
    /// # Errors
    ///
    /// When they may still stand.
    pub async fn revoke_all(
        &self,
        user: UserId,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        self.store.end_sessions_of(user, keep).await
    }
}
