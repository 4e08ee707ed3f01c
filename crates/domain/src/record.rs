use time::OffsetDateTime;

use crate::{AuditEntry, Subject, UserId};

/// What a store saves beside a change, in the same transaction.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// What the audit trail says of the change.
    pub audit: AuditEntry,
    /// What the user is told of it by mail.
    pub mail: Vec<Mail>,
}

/// A mail that a change causes. No kind of mail exists yet, so no value of this type does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Mail {}

impl Record {
    /// Returns a record that causes no mail.
    pub fn new(audit: AuditEntry) -> Self {
        Self { audit, mail: Vec::new() }
    }

    /// Returns the same record about this user.
    #[must_use]
    pub fn about(&self, user: UserId) -> Self {
        Self { audit: self.audit.about(user), mail: self.mail.clone() }
    }

    /// Returns the same record about this subject.
    #[must_use]
    pub fn on(&self, subject: Subject) -> Self {
        Self { audit: self.audit.on(subject), mail: self.mail.clone() }
    }

    /// Returns when the change happened.
    pub fn at(&self) -> OffsetDateTime {
        self.audit.event.at
    }
}
