use async_trait::async_trait;
use time::OffsetDateTime;

use crate::clock::is_from_future;
use crate::{
    Client, Record, Remembered, RememberedId, Session, SessionId, StoreError, TokenDigest, User,
    UserId,
};

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
    /// Requests that come after this one's secret was replaced at or after this moment were under way
    /// together with the one that replaced it.
    pub grace_since: OffsetDateTime,
    /// Who presents it.
    pub client: &'a Client,
    /// Whether it ends when another browser than its own presents it.
    pub is_bound: bool,
    /// The session that begins.
    pub begins: Resumption<'a>,
}

/// A session that begins because its user is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Resumption<'a> {
    /// Its name.
    pub id: SessionId,
    /// What recognises its token.
    pub token: &'a TokenDigest,
    /// When it ends at the latest. It does not outlive the remembered login.
    pub expires_at: OffsetDateTime,
    /// How many sessions the user may have with this one; the oldest end.
    pub max_per_user: u32,
}

/// What is done about a presented secret of a remembered login that is there, of a user who may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RememberStep {
    /// The login does not [stand](Remembered::stands): nothing.
    Expired,
    /// The secret takes the place of the previous one, `next` that of the current one, and a session that
    /// of the earlier session.
    Rotate,
    /// The session stands that a request began which was under way together with this one: nothing.
    Join,
    /// Somebody else has used the secret: the login ends.
    Theft,
    /// Another browser has it: the login ends.
    Move,
}

impl RememberUse<'_> {
    /// Returns what is done. The previous secret stays good until the current one was presented once: an
    /// answer may be lost on its way. It is then replaced anew, so that of two who have it, the first that
    /// comes back shows a secret which was replaced. `has_session` is whether a session of the login stands.
    pub fn step(
        &self,
        remembered: &Remembered,
        current: &TokenDigest,
        previous: Option<&TokenDigest>,
        has_session: bool,
    ) -> RememberStep {
        let is_previous = previous == Some(self.secret);
        if !remembered.stands(self.now) {
            RememberStep::Expired
        } else if *current != *self.secret && !is_previous {
            RememberStep::Theft
        } else if self.is_bound && remembered.client.user_agent != self.client.user_agent {
            RememberStep::Move
        } else if is_previous && has_session && self.is_parallel_to(remembered) {
            RememberStep::Join
        } else {
            RememberStep::Rotate
        }
    }

    /// Returns whether the secret of a remembered login was replaced a moment ago by a request that was under
    /// way together with this one.
    fn is_parallel_to(&self, remembered: &Remembered) -> bool {
        let used_at = remembered.used_at;
        // Otherwise a wrong clock would hide a theft until the day that it told.
        used_at >= self.grace_since && !is_from_future(used_at, self.now)
    }

    /// Returns the session that begins.
    pub fn session(&self, remembered: &Remembered) -> Session {
        let end = self.begins.expires_at.min(remembered.expires_at);
        let (id, user) = (self.begins.id, remembered.user_id);
        let mut session = Session::new(id, user, self.client.clone(), self.now, end);
        session.remembered = Some(remembered.id);
        session
    }
}

/// What is saved with the use of a remembered login, about its user.
#[derive(Clone, Copy, Debug)]
pub struct RememberRecords<'a> {
    /// If a session begins.
    pub resumed: &'a Record,
    /// If the secret was stolen.
    pub stolen: &'a Record,
    /// If another browser presented it.
    pub moved: &'a Record,
}

/// What became of a presented secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RememberOutcome {
    /// It was good, and `next` has taken its place. The session has begun, and taken the place of the
    /// earlier one.
    Rotated(Remembered, User, Session),
    /// It was replaced a moment ago by a request that was under way together with this one, and which began
    /// the session. Nothing has changed.
    Parallel(Remembered, User, Session),
    /// It was replaced before: somebody else has used it. The remembered login and its session have ended.
    Stolen(Remembered),
    /// Another browser has presented it. The remembered login and its session have ended.
    Moved(Remembered),
    /// There is no such remembered login, it does not [stand](Remembered::stands), or its user may not log
    /// in.
    Unknown,
}

/// Keeps remembered logins. One begins with a session, in
/// [`SessionStore::insert_session`](crate::SessionStore::insert_session).
#[async_trait]
pub trait RememberStore: Send + Sync {
    /// Returns what the use of a remembered login would come to if that changes nothing; `None` if it
    /// changes something.
    async fn peek_remembered(
        &self,
        used: RememberUse<'_>,
    ) -> Result<Option<RememberOutcome>, StoreError>;

    /// Uses a remembered login, as [`RememberUse::step`] says, with the session that begins, in one step.
    /// However many use it at once, it has one session.
    async fn use_remembered(
        &self,
        used: RememberUse<'_>,
        records: RememberRecords<'_>,
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
