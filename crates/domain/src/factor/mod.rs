pub(crate) mod store;

#[cfg(feature = "contract")]
pub(crate) mod contract;
#[cfg(feature = "memory")]
mod memory;

use time::OffsetDateTime;

use crate::clock::is_from_future;
use crate::{CounterKey, HashDigest, Methods, UserId};

/// A login whose user has proved something and must prove one thing more. It opens nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingLogin {
    /// Who is logging in.
    pub user_id: UserId,
    /// What they have proved.
    pub methods: Methods,
    /// What recognises the password hash that their password matched; the login ends when that changes.
    pub password: Option<HashDigest>,
    /// Whether they want to be remembered.
    pub remember: bool,
    /// The counters that count the login as a try, each with the beginning of its period. They are given
    /// back when the login is complete.
    pub counted: Vec<(CounterKey, OffsetDateTime)>,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

impl PendingLogin {
    /// How many codes may be tried in one login.
    pub const MAX_TRIES: u32 = 5;
    /// How many logins of one user wait at once; the oldest end.
    pub const MAX_PER_USER: u32 = 10;

    /// Returns a login that waits from `created_at` to `expires_at`, with nothing proved. Other fields are
    /// set afterwards.
    pub fn new(user_id: UserId, created_at: OffsetDateTime, expires_at: OffsetDateTime) -> Self {
        Self {
            user_id,
            methods: Methods::default(),
            password: None,
            remember: false,
            counted: Vec::new(),
            created_at,
            expires_at,
        }
    }

    /// Returns whether it has not ended at `now`. One that a wrong clock began in the future has.
    pub fn waits(&self, now: OffsetDateTime) -> bool {
        !is_from_future(self.created_at, now) && now < self.expires_at
    }
}
