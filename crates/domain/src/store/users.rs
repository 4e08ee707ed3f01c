use async_trait::async_trait;

use crate::{AuditEntry, EmailAddress, PasswordHash, SessionId, StoreError, User, UserId};

/// Keeps users.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Saves a new user. That the email address is free is decided here and nowhere before.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`] when another user has the email address.
    async fn insert_user(&self, user: &User, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Finds a user.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn user_by_id(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Finds the user with this email address, in whatever spelling.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError>;

    /// At most `limit` users in the order in which they registered, those after `after`.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    async fn users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError>;

    /// Sets a new password, and ends all sessions of the user except `keep` and all of their
    /// remembered logins. False when there is no such user.
    ///
    /// # Errors
    ///
    /// When nothing was changed.
    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        keep: Option<SessionId>,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Replaces the hash of an unchanged password, unless it is no longer `from`. Ends nothing.
    ///
    /// # Errors
    ///
    /// When nothing was changed.
    async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<bool, StoreError>;

    /// Lets a user in, or shuts them out, which ends all of their sessions and remembered logins.
    /// False when there is no such user.
    ///
    /// # Errors
    ///
    /// When nothing was changed.
    async fn set_active(
        &self,
        id: UserId,
        active: bool,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Removes a user and all that belongs to them. False when there is no such user.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    async fn delete_user(&self, id: UserId, entry: &AuditEntry) -> Result<bool, StoreError>;
}
