use countersign_auth::AuditConfig;

use super::section::section;
use super::span::Span;

section! {
    /// `audit`: how long the audit trail is kept.
    Audit for AuditConfig {
        /// A record is kept this long.
        keep_for: Span = keep_for,
        /// Its address is kept whole this long; after that only the network is.
        keep_addresses_for: Span = keep_addresses_for,
    }
}
