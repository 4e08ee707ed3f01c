use async_trait::async_trait;
use time::OffsetDateTime;

use crate::clock::is_from_future;
use crate::{Record, Remembered, RememberedId, SessionId, StoreError, TokenDigest, User, UserId};

/// A remembered login to be saved.
#[derive(Clone, Copy, Debug)]
pub struct RememberGrant<'a> {
    /// The remembered login.
    pub remembered: &'a Remembered,
    /// What recognises its series.
    pub series: &'a TokenDigest,
    /// What recognises its first secret.
    pub secret: &'a TokenDigest,
}

/// What somebody presents who claims to be remembered.
#[derive(Clone, Copy, Debug)]
pub struct RememberUse<'a> {
    /// What recognises the presented series.
    pub series: &'a TokenDigest,
    /// What recognises the presented secret.
    pub secret: &'a TokenDigest,
    /// What takes the secret's place.
    pub next: &'a TokenDigest,
    /// When it is presented.
    pub now: OffsetDateTime,
    /// A secret that was replaced at or after this moment is still good, for requests that were under way
    /// together.
    pub grace_since: OffsetDateTime,
}

impl RememberUse<'_> {
    /// Returns whether the secret of a remembered login was replaced a moment ago, so that the one before
    /// is still good.
    pub fn is_parallel_to(&self, remembered: &Remembered) -> bool {
        let used_at = remembered.used_at;
        // Otherwise a wrong clock would hide a theft until the day that it told.
        used_at >= self.grace_since && !is_from_future(used_at, self.now)
    }
}

/// What became of a presented secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RememberOutcome {
    /// It was the current one, and `next` has taken its place.
    Rotated(Remembered, User),
    /// It was replaced a moment ago by a request that was under way together with this one. Nothing has
    /// changed.
    Parallel(Remembered, User),
    /// It was replaced before: somebody else has used it. The remembered login and all sessions that belong
    /// to it have ended.
    Stolen(Remembered),
    /// There is no such remembered login, it does not [stand](Remembered::stands), or its user may not log
    /// in.
    Unknown,
}

/// Keeps remembered logins. One begins with a session, in
/// [`SessionStore::insert_session`](crate::SessionStore::insert_session).
#[async_trait]
pub trait RememberStore: Send + Sync {
    /// Uses a remembered login. Saves `theft`, about its user, if its secret was stolen.
    async fn use_remembered(
        &self,
        used: RememberUse<'_>,
        theft: &Record,
    ) -> Result<RememberOutcome, StoreError>;

    /// Lists the remembered logins of a user, the newest first.
    async fn remembered_of(&self, user: UserId) -> Result<Vec<Remembered>, StoreError>;

    /// Ends a remembered login and all sessions that belong to it, if it is this user's. False when they
    /// have none of that id, or when `by`, the session of theirs in which they ask, has ended.
    async fn end_remembered(
        &self,
        user: UserId,
        id: RememberedId,
        by: Option<SessionId>,
        record: &Record,
    ) -> Result<bool, StoreError>;

    /// Ends the remembered login of this series, whoever's it is, and all sessions that belong to it.
    /// Returns its user, about whom it saves `record`; `None` when there is none.
    async fn end_series(
        &self,
        series: &TokenDigest,
        record: &Record,
    ) -> Result<Option<UserId>, StoreError>;

    /// Removes at most `limit` remembered logins that expired before `now`, or began in the
    /// [future](crate::is_from_future). Returns how many.
    async fn purge_remembered(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;
}
