//! The ports to saved data.
//!
//! A store keeps users and sessions. Each method is one fact that becomes true as a whole or not at
//! all, whatever tables and transactions that takes; none of those words crosses this line. A thing
//! that is not there is `Ok(None)` or `Ok(false)`, never an error.
//!
//! Whether a store keeps these promises is shown by the contract suite (feature `contract`).

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{
    Client, EmailAddress, PasswordHash, Remembered, RememberedId, Session, SessionId, TokenDigest,
    User, UserId,
};

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

    /// Sets a new password, and ends all sessions of the user except `keep` and all of their
    /// remembered logins. False when there is no such user.
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

    /// Lets a user in, or shuts them out, which ends all of their sessions and remembered logins.
    /// False when there is no such user.
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
    /// The remembered login that begins with the session, if one does.
    pub remember: Option<RememberGrant<'a>>,
    /// How many sessions the user may have with this one; the oldest end.
    pub max_per_user: u32,
}

/// A remembered login to be saved.
#[derive(Clone, Copy, Debug)]
pub struct RememberGrant<'a> {
    /// The remembered login.
    pub remembered: &'a Remembered,
    /// What its series is recognised by.
    pub series: &'a TokenDigest,
    /// What its first secret is recognised by.
    pub secret: &'a TokenDigest,
}

/// A session whose token is replaced because its user has proven who they are once more.
#[derive(Clone, Copy, Debug)]
pub struct SessionRenewal<'a> {
    /// The session.
    pub id: SessionId,
    /// What its new token is recognised by. The old one opens nothing any more.
    pub token: &'a TokenDigest,
    /// The client that proved it.
    pub client: &'a Client,
    /// When.
    pub authenticated_at: OffsetDateTime,
}

/// Keeps sessions.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Saves a session if what it rests on still holds: the user is there, is active, and has the
    /// password hash that was checked; the remembered login that it belongs to stands, or begins
    /// with it. False when not, so that a login that was under way while the password changed leaves
    /// no session behind.
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

    /// Notes when sessions were last used; never moves a time back.
    ///
    /// # Errors
    ///
    /// When nothing was noted.
    async fn touch_sessions(&self, seen: &[(SessionId, OffsetDateTime)]) -> Result<(), StoreError>;

    /// Replaces the token of a session. False when it has ended.
    ///
    /// # Errors
    ///
    /// When the old token still stands.
    async fn renew_session(&self, renewal: SessionRenewal<'_>) -> Result<bool, StoreError>;

    /// Ends a session and the remembered login that it belongs to, if it is this user's. False when
    /// they have none of that id.
    ///
    /// # Errors
    ///
    /// When the session still stands.
    async fn end_session(&self, user: UserId, id: SessionId) -> Result<bool, StoreError>;

    /// Ends all sessions of a user except `keep`, and all remembered logins except the one that
    /// `keep` belongs to. Says how many sessions ended.
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
    /// `idle_since`, and says how many. A remembered login outlives its sessions.
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

/// What somebody presents who claims to be remembered.
#[derive(Clone, Copy, Debug)]
pub struct RememberUse<'a> {
    /// What the presented series is recognised by.
    pub series: &'a TokenDigest,
    /// What the presented secret is recognised by.
    pub secret: &'a TokenDigest,
    /// What takes the secret's place.
    pub next: &'a TokenDigest,
    /// When it is presented.
    pub now: OffsetDateTime,
    /// A secret that was replaced at or after this moment is still good, for requests that were
    /// under way together.
    pub grace_since: OffsetDateTime,
}

/// What a presented secret came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RememberOutcome {
    /// It was the current one, and `next` has taken its place.
    Rotated(Remembered, User),
    /// It was replaced a moment ago by a request that was under way together with this one.
    /// Nothing has changed.
    Parallel(Remembered, User),
    /// It was replaced before: somebody else has used it. The remembered login and all sessions
    /// that belong to it have ended.
    Stolen(Remembered),
    /// There is no such remembered login, it has expired, or its user may not log in.
    Unknown,
}

/// Keeps remembered logins. They begin with a session, in [`SessionStore::insert_session`].
#[async_trait]
pub trait RememberStore: Send + Sync {
    /// Uses a remembered login.
    ///
    /// # Errors
    ///
    /// When nothing has changed.
    async fn use_remembered(&self, used: RememberUse<'_>) -> Result<RememberOutcome, StoreError>;

    /// The remembered logins of a user, the newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn remembered_of(&self, user: UserId) -> Result<Vec<Remembered>, StoreError>;

    /// Ends a remembered login and all sessions that belong to it, if it is this user's. False when
    /// they have none of that id.
    ///
    /// # Errors
    ///
    /// When it still stands.
    async fn end_remembered(&self, user: UserId, id: RememberedId) -> Result<bool, StoreError>;

    /// Ends the remembered login of this series, whoever's it is, and all sessions that belong to
    /// it. False when there is none.
    ///
    /// # Errors
    ///
    /// When it still stands.
    async fn end_series(&self, series: &TokenDigest) -> Result<bool, StoreError>;

    /// Removes at most `limit` remembered logins that have expired before `now`, and says how many.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;
}

/// All that the service needs saved.
#[async_trait]
pub trait Store: UserStore + SessionStore + RememberStore {
    /// Whether the store can serve: it is reached, and its schema is the one this program uses.
    ///
    /// # Errors
    ///
    /// When it cannot.
    async fn ready(&self) -> Result<(), StoreError>;
}
