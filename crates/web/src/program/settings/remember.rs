use countersign_auth::SessionConfig;

use super::section::section;
use super::span::Span;

section! {
    /// `remember`: logins that outlive a session.
    Remember for SessionConfig {
        /// Whether users may ask to be remembered.
        enabled: bool = remember,
        /// A remembered login ends this long after it began.
        duration: Span = lifetimes.remembered,
    }
}
