//! The ports to saved data.
//!
//! A store keeps users and sessions. Each method is one fact that becomes true as a whole or not at
//! all, whatever tables and transactions that takes; none of those words crosses this line. A thing
//! that is not there is `Ok(None)` or `Ok(false)`, never an error.
//!
//! Whether a store keeps these promises is shown by the contract suite (feature `contract`).

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{EmailAddress, PasswordHash, Session, SessionId, TokenDigest, User, UserId};

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another user has this already.
    #[error("the {0} is taken")]
    Taken(Field),
    /// The store cannot be reached, or not in time. It may work when tried again.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A saved row does not mean anything.
    #[error("the store holds a corrupt {column} in {table}")]
    Corrupt {
        /// The table of the row.
        table: &'static str,
        /// The column that could not be read.
        column: &'static str,
        /// What is wrong with its value.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What must be unique among users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The canonical form of the email address.
    Email,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Email => f.write_str("email address"),
        }
    }
}

/// Keeps users.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Saves a new user. That the email address is free is decided here and nowhere before.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`] when another user has the email address.
    async fn insert_user(&self, user: &User) -> Result<(), StoreError>;

    /// Finds a user.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn user_by_id(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Finds the user with this email address, in whatever spelling.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError>;

    /// At most `limit` users in the order in which they registered, those after `after`.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError>;

    /// Sets a new password and ends all sessions of the user except `keep`. False when there is no
    /// such user.
    ///
    /// # Errors
    ///
    /// When nothing was changed.
    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        keep: Option<SessionId>,
        now: OffsetDateTime,
    ) -> Result<bool, StoreError>;

    /// Replaces the hash of an unchanged password, unless it is no longer `from`. Ends nothing.
    ///
    /// # Errors
    ///
    /// When nothing was changed.
    async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<bool, StoreError>;

    /// Lets a user in, or shuts them out, which ends all of their sessions. False when there is no
    /// such user.
    ///
    /// # Errors
    ///
    /// When nothing was changed.
    async fn set_active(
        &self,
        id: UserId,
        active: bool,
        now: OffsetDateTime,
    ) -> Result<bool, StoreError>;

    /// Removes a user and all that belongs to them. False when there is no such user.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError>;
}

/// A session to be saved, and on what it rests.
#[derive(Clone, Copy, Debug)]
pub struct SessionGrant<'a> {
    /// The session.
    pub session: &'a Session,
    /// What its token is recognised by.
    pub token: &'a TokenDigest,
    /// The password hash that the user's attempt was checked against; `None` when they proved who
    /// they are in another way.
    pub proof: Option<&'a PasswordHash>,
    /// How many sessions the user may have with this one; the oldest end.
    pub max_per_user: u32,
}

/// Keeps sessions.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Saves a session if what it rests on still holds: the user is there, is active, and has the
    /// password hash that was checked. False when not, so that a login that was under way while the
    /// password changed leaves no session behind.
    ///
    /// # Errors
    ///
    /// When nothing was saved.
    async fn insert_session(&self, grant: SessionGrant<'_>) -> Result<bool, StoreError>;

    /// Finds the session with this token and its user, whatever state they are in.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn session_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<(Session, User)>, StoreError>;

    /// All sessions of a user, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError>;

    /// Notes that a session was used; never moves the time back.
    ///
    /// # Errors
    ///
    /// When nothing was noted.
    async fn touch_session(&self, id: SessionId, now: OffsetDateTime) -> Result<(), StoreError>;

    /// Ends a session, if it is this user's. False when they have none of that id.
    ///
    /// # Errors
    ///
    /// When the session still stands.
    async fn end_session(&self, user: UserId, id: SessionId) -> Result<bool, StoreError>;

    /// Ends all sessions of a user except `keep`, and says how many ended.
    ///
    /// # Errors
    ///
    /// When they still stand.
    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<SessionId>,
    ) -> Result<u64, StoreError>;

    /// Removes at most `limit` sessions that have expired before `now` or were last used before
    /// `idle_since`, and says how many.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    async fn purge_sessions(
        &self,
        now: OffsetDateTime,
        idle_since: OffsetDateTime,
        limit: u32,
    ) -> Result<u64, StoreError>;
}

/// All that the service needs saved.
#[async_trait]
pub trait Store: UserStore + SessionStore {
    /// Whether the store can serve: it is reached, and its schema is the one this program uses.
    ///
    /// # Errors
    ///
    /// When it cannot.
    async fn ready(&self) -> Result<(), StoreError>;
}
