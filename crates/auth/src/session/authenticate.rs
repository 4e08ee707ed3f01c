use std::sync::Arc;

use countersign_domain::{
    AuthEventKind, Principal, Record, SecretToken, Session, StoreError, User,
};

use super::cache::{Answer, Known};
use crate::config::Protection;
use crate::core::Acting;

/// A user who has shown the token of a session that stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Authenticated {
    /// The user.
    pub user: Arc<User>,
    /// The session they are in.
    pub session: Arc<Session>,
    /// Whether they proved who they are a short while ago, on this client.
    pub is_fresh: bool,
}

impl Authenticated {
    /// Returns the user of a session that has just begun.
    pub fn new(user: User, session: Session, is_fresh: bool) -> Self {
        Self { user: Arc::new(user), session: Arc::new(session), is_fresh }
    }

    /// Returns them as who asks.
    pub fn principal(&self) -> Principal {
        Principal::in_session(Arc::clone(&self.user), Arc::clone(&self.session))
    }
}

impl Acting<'_> {
    /// Finds who shows this token; `None` when it is the token of no session that stands, or the user has
    /// been disabled.
    ///
    /// # Errors
    ///
    /// When the store cannot say. That is not the same as nobody.
    pub async fn authenticate(
        &self,
        token: &SecretToken,
    ) -> Result<Option<Authenticated>, StoreError> {
        let core = self.core;
        let Some(known) = self.find_session(token).await? else { return Ok(None) };
        let (user, session) = (&known.user, &known.session);
        let (now, lifetimes) = (core.now(), &core.config.sessions.lifetimes);
        if !user.is_active || !session.is_live_when_seen(known.last_seen_at(), now, lifetimes) {
            return Ok(None);
        }
        let mut is_fresh = session.is_fresh(now, lifetimes);
        let has_moved = session.client.user_agent != self.caller.client.user_agent;
        match core.protection() {
            Protection::Strong if has_moved => {
                // Boxed, so that the usual case does not move what the rare one needs.
                Box::pin(self.end_moved(session)).await?;
                return Ok(None);
            }
            Protection::Basic if has_moved && is_fresh => {
                // Once, not with every page that it asks for.
                if !core.seen.has_moved(session.id) {
                    Box::pin(self.write_down_moved(session)).await?;
                    core.seen.note_moved(session.id);
                }
                is_fresh = false;
            }
            _ => {}
        }
        known.seen(now);
        core.seen.note(session.id, now);
        let (user, session) = (Arc::clone(user), Arc::clone(session));
        Ok(Some(Authenticated { user, session, is_fresh }))
    }

    /// Ends a session whose token came from another browser.
    async fn end_moved(&self, session: &Session) -> Result<(), StoreError> {
        let (user, id) = (session.user_id, session.id);
        let record = self.protected(session);
        let ended = self.change(Some(user), &record, |store, record| {
            store.sessions().end_session(user, id, None, record)
        });
        ended.await.map(drop)
    }

    async fn write_down_moved(&self, session: &Session) -> Result<(), StoreError> {
        self.write_down(&[self.protected(session)]).await
    }

    fn protected(&self, session: &Session) -> Record {
        let (user, session) = (Some(session.user_id), Some(session.id));
        self.record(AuthEventKind::SessionProtected, user, session)
    }

    /// Ends a session and the remembered login that it belongs to. It makes no difference whether it has
    /// ended already.
    ///
    /// # Errors
    ///
    /// When it may still stand.
    pub async fn log_out(&self, session: &Session) -> Result<(), StoreError> {
        let (user, id) = (session.user_id, session.id);
        let caller = &self.caller.clone().acting_as(user);
        let acting = Acting { core: self.core, caller };
        let record = acting.record(AuthEventKind::UserLoggedOut, Some(user), Some(id));
        let ended = acting.change(Some(user), &record, |store, record| {
            store.sessions().end_session(user, id, None, record)
        });
        ended.await.map(drop)
    }
}

impl Acting<'_> {
    /// Finds the session with this token, whatever state it is in: in memory, or in the store.
    async fn find_session(&self, token: &SecretToken) -> Result<Option<Arc<Known>>, StoreError> {
        let (core, token) = (self.core, token.digest());
        let asked = match core.cache.look_up(&token, core.now()) {
            Answer::Session(known) => return Ok(Some(known)),
            Answer::Nobody => return Ok(None),
            Answer::Ask(asked) => asked,
        };
        let found = core.store.sessions().session_by_token(&token).await?;
        let known = core.cache.keep(&token, asked, found);
        if let Some(known) = &known {
            // Here, since the store was asked anyway: not with every page.
            core.note_browser(self.caller.browser.as_ref(), known.user.id, core.now());
            if let Some(seen) = core.seen.last(known.session.id) {
                known.seen(seen);
            }
        }
        Ok(known)
    }
}
