use countersign_auth::{Protection, SessionConfig};
use serde::{Deserialize, Serialize};

use super::section::section;
use super::span::Span;

section! {
    /// `session`: how long sessions live, and how many there are.
    Session for SessionConfig {
        /// A session ends when it is not used for this long.
        idle_timeout: Span = lifetimes.idle,
        /// A session ends after this long, however much it is used.
        absolute_timeout: Span = lifetimes.absolute,
        /// A login counts as fresh for this long.
        fresh_for: Span = lifetimes.fresh,
        /// What happens to a session whose token comes from another browser.
        #[serde(with = "ProtectionWord")]
        protection: Protection = protection,
        /// A session is accepted for this long without asking the database again.
        max_staleness: Span = max_staleness,
        /// A user may have this many sessions; then the oldest ends.
        max_per_user: u32 = max_per_user,
    }
}

/// The words for [`Protection`].
#[derive(Deserialize, Serialize)]
#[serde(remote = "Protection", rename_all = "lowercase")]
enum ProtectionWord {
    Off,
    Basic,
    Strong,
}
