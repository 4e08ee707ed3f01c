//! Sessions: who shows a token, and what a user does with their sessions.

pub(crate) mod authenticate;
pub(crate) mod cache;
pub(crate) mod resume;
pub(crate) mod seen;

use countersign_domain::{
    AuthEventKind, Keep, Remembered, RememberedId, SecretToken, Session, SessionId, StoreError,
    Subject, UserId,
};

use crate::core::Acting;

/// The sessions and remembered logins of one user.
#[derive(Clone, Copy)]
pub struct Sessions<'a> {
    pub(crate) acting: Acting<'a>,
    pub(crate) user: UserId,
    /// The session of theirs in which they ask.
    asked_in: Option<SessionId>,
}

impl<'a> Acting<'a> {
    /// Acts on the sessions and remembered logins of a user.
    pub fn sessions(self, user: UserId) -> Sessions<'a> {
        Sessions { acting: self, user, asked_in: None }
    }
}

impl Sessions<'_> {
    /// Asks in a session of the user's. It must still stand whenever another one is to end, and it stays when
    /// all end.
    #[must_use]
    pub fn asked_in(self, session: SessionId) -> Self {
        Self { asked_in: Some(session), ..self }
    }

    /// Lists the sessions that stand, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn list(&self) -> Result<Vec<Session>, StoreError> {
        let core = self.acting.core;
        let mut sessions = core.store.sessions().sessions_of(self.user).await?;
        let now = core.now();
        for session in &mut sessions {
            if let Some(seen) = core.seen.last(session.id) {
                session.last_seen_at = session.last_seen_at.max(seen);
            }
        }
        sessions.retain(|session| session.is_live(now, &core.config.sessions.lifetimes));
        Ok(sessions)
    }

    /// Lists where the user is remembered, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn remembered(&self) -> Result<Vec<Remembered>, StoreError> {
        let core = self.acting.core;
        let mut remembered = core.store.remembered().remembered_of(self.user).await?;
        let now = core.now();
        remembered.retain(|remembered| remembered.stands(now));
        Ok(remembered)
    }

    /// Ends one session and the remembered login that it belongs to. False when the user has none of that id,
    /// or the session in which they ask has ended.
    ///
    /// # Errors
    ///
    /// When it may still stand.
    pub async fn revoke(&self, id: SessionId) -> Result<bool, StoreError> {
        let (user, by) = (self.user, self.asked_in);
        let mut record = self.acting.record(AuthEventKind::SessionsRevoked, Some(user), None);
        record.audit.event.subject = Some(Subject::session(id));
        self.acting
            .change(Some(user), &record, |store, record| {
                store.sessions().end_session(user, id, by, record)
            })
            .await
    }

    /// Ends one remembered login and its sessions. False when the user has none of that id, or the session in
    /// which they ask has ended.
    ///
    /// # Errors
    ///
    /// When it may still stand.
    pub async fn revoke_remembered(&self, id: RememberedId) -> Result<bool, StoreError> {
        let (user, by) = (self.user, self.asked_in);
        let mut record = self.acting.record(AuthEventKind::SessionsRevoked, Some(user), None);
        record.audit.event.subject = Some(Subject::remembered(id));
        self.acting
            .change(Some(user), &record, |store, record| {
                store.remembered().end_remembered(user, id, by, record)
            })
            .await
    }

    /// Ends all sessions and remembered logins except the session in which the user asks, and forgets all
    /// known browsers except the one in which they do. Returns how many sessions ended.
    ///
    /// # Errors
    ///
    /// When they may still stand.
    pub async fn revoke_all(&self) -> Result<u64, StoreError> {
        let user = self.user;
        let browser = self.acting.caller.browser.as_ref().map(SecretToken::digest);
        let keep = self.asked_in.map(|session| Keep { session, browser: browser.as_ref() });
        let record = self.acting.record(AuthEventKind::SessionsRevoked, Some(user), self.asked_in);
        let ended = self
            .acting
            .change(Some(user), &record, |store, record| {
                store.sessions().end_sessions_of(user, keep, record)
            })
            .await?;
        Ok(ended.sessions)
    }
}
