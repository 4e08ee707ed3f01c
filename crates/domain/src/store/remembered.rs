use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{AuditEntry, Remembered, RememberedId, StoreError, TokenDigest, User, UserId};

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
    /// What is written down if it was stolen; the store fills in the user.
    pub stolen: &'a AuditEntry,
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

/// Keeps remembered logins. They begin with a session, in [`SessionStore::insert_session`](crate::SessionStore::insert_session).
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
    async fn end_remembered(
        &self,
        user: UserId,
        id: RememberedId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Ends the remembered login of this series, whoever's it is, and all sessions that belong to
    /// it. Says whose it was, and fills them in as the user of `entry`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When it still stands.
    async fn end_series(
        &self,
        series: &TokenDigest,
        entry: &AuditEntry,
    ) -> Result<Option<UserId>, StoreError>;

    /// Removes at most `limit` remembered logins that have expired before `now`, and says how many.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;
}
