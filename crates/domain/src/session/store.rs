use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{
    Client, Methods, PasswordHash, Proof, Record, RememberGrant, Session, SessionId, StoreError,
    TokenDigest, User, UserId,
};

/// A session to be saved, and what it rests on.
#[derive(Clone, Copy, Debug)]
pub struct SessionGrant<'a> {
    /// The session.
    pub session: &'a Session,
    /// What recognises its token.
    pub token: &'a TokenDigest,
    /// What the user has proved; `None` when they are only remembered.
    pub proof: Option<&'a Proof>,
    /// The remembered login that begins with the session, if one does.
    pub remember: Option<RememberGrant<'a>>,
    /// How many sessions the user may have with this one, and how many remembered logins. The oldest
    /// sessions end, and the remembered logins that were not used for the longest.
    pub max_per_user: u32,
}

/// What a change rests on that a user makes in a session of theirs after they proved who they are. The
/// change is made only if all of this still holds in its transaction: the user is active, the session
/// stands and is theirs, and their password is still the one that they had when they proved it.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    /// The user.
    pub user: UserId,
    /// The session in which they ask.
    pub session: SessionId,
    /// The hash that they had then; `None` when they had no password.
    pub password: Option<&'a PasswordHash>,
}

impl<'a> Basis<'a> {
    /// Returns the basis of what `user`, as they were read from the store, does in a session of theirs.
    pub fn of(user: &'a User, session: SessionId) -> Self {
        Self { user: user.id, session, password: user.password_hash.as_ref() }
    }
}

/// What stays when all else of a user ends. Nothing ends unless the session still stands.
#[derive(Clone, Copy, Debug)]
pub struct Keep<'a> {
    /// The session in which they ask, with the remembered login that it belongs to.
    pub session: SessionId,
    /// The known browser in which they ask.
    pub browser: Option<&'a TokenDigest>,
}

/// A session whose token is replaced because its user has proved once more who they are.
#[derive(Clone, Copy, Debug)]
pub struct SessionRenewal<'a> {
    /// What it rests on, with the session.
    pub basis: Basis<'a>,
    /// What recognises its new token. The old one is worthless.
    pub token: &'a TokenDigest,
    /// The client in which they proved it.
    pub client: &'a Client,
    /// All that they have proved in the session.
    pub methods: &'a Methods,
    /// When they proved it.
    pub authenticated_at: OffsetDateTime,
}

/// The number of things of a user that ended together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// How many sessions.
    pub sessions: u64,
    /// How many remembered logins.
    pub remembered: u64,
}

/// Keeps sessions.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Saves a session if what it rests on still holds: the user is there, is active, and has the password
    /// hash that was checked; the remembered login that it belongs to stands, or begins with it. False when
    /// not, so that a login that was under way while the password changed leaves no session behind. A
    /// remembered login has one session: the new one takes the place of the earlier one.
    async fn insert_session(
        &self,
        grant: SessionGrant<'_>,
        record: &Record,
    ) -> Result<bool, StoreError>;

    /// Finds the session with this token and its user, whatever state they are in.
    async fn session_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<(Session, User)>, StoreError>;

    /// Lists all sessions of a user, the newest first.
    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError>;

    /// Notes when sessions were last used. Never moves a time back.
    async fn touch_sessions(&self, seen: &[(SessionId, OffsetDateTime)]) -> Result<(), StoreError>;

    /// Replaces the token of a session. False when its basis does not hold.
    async fn renew_session(
        &self,
        renewal: SessionRenewal<'_>,
        record: &Record,
    ) -> Result<bool, StoreError>;

    /// Ends a session and the remembered login that it belongs to, if it is this user's. False when they
    /// have none of that id, or when `by`, the session of theirs in which they ask, has ended.
    async fn end_session(
        &self,
        user: UserId,
        id: SessionId,
        by: Option<SessionId>,
        record: &Record,
    ) -> Result<bool, StoreError>;

    /// Ends all sessions and remembered logins of a user except what is kept. Their other known browsers
    /// are forgotten, and logins that wait for a second factor end; these are not counted.
    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<Keep<'_>>,
        record: &Record,
    ) -> Result<Ended, StoreError>;

    /// Removes at most `limit` sessions that expired before `now`, were last used before `idle_since`, or
    /// began in the [future](crate::is_from_future): a wrong clock made those. Returns how many. A
    /// remembered login outlives its sessions.
    async fn purge_sessions(
        &self,
        now: OffsetDateTime,
        idle_since: OffsetDateTime,
        limit: u32,
    ) -> Result<u64, StoreError>;
}
