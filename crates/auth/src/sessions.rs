use std::sync::Arc;

use countersign_domain::{
    AuditEntry, AuthEventKind, SecretToken, Session, SessionId, StoreError, User, UserId,
};

use crate::cache::{Answer, Known};
use crate::config::Protection;
use crate::{Auth, Caller};

/// A user who has shown the token of a session that stands.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// Who it is.
    pub user: Arc<User>,
    /// The session they are in.
    pub session: Arc<Session>,
    /// Whether they proved who they are a short while ago, on this client.
    pub is_fresh: bool,
}

impl Auth {
    /// Who shows this token, as `caller`; `None` when it is the token of no session that stands,
    /// or the user has been disabled.
    ///
    /// # Errors
    ///
    /// When the store cannot say. That is not the same as nobody.
    pub async fn authenticate(
        &self,
        token: &SecretToken,
        caller: &Caller,
    ) -> Result<Option<Authenticated>, StoreError> {
        let Some(known) = self.find(token).await? else { return Ok(None) };
        let (user, session) = (&known.user, &known.session);
        let (now, lifetimes) = (self.clock.now(), &self.config.sessions.lifetimes);
        if !user.is_active || !session.is_live_when_seen(known.last_seen_at(), now, lifetimes) {
            return Ok(None);
        }
        let mut is_fresh = session.is_fresh(now, lifetimes);
        let has_moved = session.client.user_agent != caller.client.user_agent;
        match self.config.sessions.protection {
            Protection::Strong if has_moved => {
                let entry = self.protected(session, caller);
                let end = self.store.end_session(user.id, session.id, &entry);
                if self.cache.changing(user.id, end).await? {
                    self.publish(&entry.event);
                }
                return Ok(None);
            }
            Protection::Basic if has_moved && is_fresh => {
                // Once, not with every page that it asks for.
                if !self.seen.has_moved(session.id) {
                    self.record(&[self.protected(session, caller)]).await?;
                    self.seen.note_moved(session.id);
                }
                is_fresh = false;
            }
            _ => {}
        }
        known.seen(now);
        self.seen.note(session.id, now);
        let (user, session) = (Arc::clone(user), Arc::clone(session));
        Ok(Some(Authenticated { user, session, is_fresh }))
    }

    /// The session with this token, whatever state it is in: from memory, or from the store.
    async fn find(&self, token: &SecretToken) -> Result<Option<Arc<Known>>, StoreError> {
        let token = token.digest();
        let asked = match self.cache.look_up(&token, self.clock.now()) {
            Answer::Session(known) => return Ok(Some(known)),
            Answer::Nobody => return Ok(None),
            Answer::Ask(asked) => asked,
        };
        let found = self.store.session_by_token(&token).await?;
        let known = self.cache.keep(&token, asked, found);
        if let Some(known) = &known
            && let Some(seen) = self.seen.last(known.session.id)
        {
            known.seen(seen);
        }
        Ok(known)
    }

    /// Says that the program has changed a user, or what belongs to them, behind the back of this
    /// service: the next request sees it. Without that it does within
    /// [`max_staleness`](crate::SessionConfig::max_staleness).
    pub fn user_changed(&self, user: UserId) {
        self.cache.changed(user);
    }

    fn protected(&self, session: &Session, caller: &Caller) -> AuditEntry {
        let (user, session) = (Some(session.user_id), Some(session.id));
        self.entry(AuthEventKind::SessionProtected, user, session, caller)
    }

    /// Ends a session and the remembered login that it belongs to. It makes no difference whether it
    /// has ended already.
    ///
    /// # Errors
    ///
    /// When it may still stand.
    pub async fn log_out(&self, session: &Session, caller: &Caller) -> Result<(), StoreError> {
        let (user, id) = (session.user_id, session.id);
        let entry = self.entry(AuthEventKind::UserLoggedOut, Some(user), Some(id), caller);
        let end = self.store.end_session(user, id, &entry);
        if self.cache.changing(user, end).await? {
            self.publish(&entry.event);
        }
        Ok(())
    }

    /// The sessions of a user that stand, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn sessions(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        let mut sessions = self.store.sessions_of(user).await?;
        let now = self.clock.now();
        for session in &mut sessions {
            if let Some(seen) = self.seen.last(session.id) {
                session.last_seen_at = session.last_seen_at.max(seen);
            }
        }
        sessions.retain(|session| session.is_live(now, &self.config.sessions.lifetimes));
        Ok(sessions)
    }

    /// Ends one session of a user, and the remembered login that it belongs to. False when they
    /// have none of that id.
    ///
    /// # Errors
    ///
    /// When it may still stand.
    pub async fn revoke(
        &self,
        user: UserId,
        session: SessionId,
        caller: &Caller,
    ) -> Result<bool, StoreError> {
        let kind = AuthEventKind::SessionsRevoked;
        let entry = self.entry(kind, Some(user), Some(session), caller);
        let end = self.store.end_session(user, session, &entry);
        let ended = self.cache.changing(user, end).await?;
        if ended {
            self.publish(&entry.event);
        }
        Ok(ended)
    }

    /// Ends all sessions and remembered logins of a user except `keep` and the one that it belongs
    /// to; only the browser of `caller` is known any more. Says how many sessions ended.
    ///
    /// # Errors
    ///
    /// When they may still stand.
    pub async fn revoke_all(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        caller: &Caller,
    ) -> Result<u64, StoreError> {
        let entry = self.entry(AuthEventKind::SessionsRevoked, Some(user), keep, caller);
        let end = self.store.end_sessions_of(user, keep, &entry);
        let ended = self.cache.changing(user, end).await?;
        self.publish(&entry.event);
        let browser = caller.browser.as_ref().map(SecretToken::digest);
        self.forget_browsers(user, browser.as_ref()).await;
        Ok(ended)
    }
}
