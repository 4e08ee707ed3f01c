use std::sync::Arc;

use crate::{Session, User};

/// Who asks, and by what they are known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Principal {
    /// The user.
    pub user: Arc<User>,
    /// By what they are known.
    pub via: Via,
}

/// By what a user is known who asks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Via {
    /// By the token of a session.
    Session(Arc<Session>),
}

impl Principal {
    /// Returns the user of a session.
    pub fn in_session(user: Arc<User>, session: Arc<Session>) -> Self {
        Self { user, via: Via::Session(session) }
    }

    /// Returns the session, where the user is known by one.
    pub fn session(&self) -> Option<&Session> {
        match &self.via {
            Via::Session(session) => Some(session),
        }
    }
}
