use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{
    AuditEntry, Client, PasswordHash, Remembered, Session, SessionId, StoreError, TokenDigest,
    User, UserId,
};

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
    /// What is written down of it.
    pub entry: &'a AuditEntry,
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
    /// What is written down of it, unless that is a part of something that is written down already.
    pub entry: Option<&'a AuditEntry>,
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
    async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

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
        entry: &AuditEntry,
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
