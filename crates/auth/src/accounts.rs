//! What an administrator does with accounts.

use countersign_domain::{
    AuthEventKind, EmailAddress, PasswordContext, PasswordError, StoreError, User, UserId,
};

use crate::{Auth, Caller, Overloaded};

/// Why a password was not set. The old one still holds.
#[derive(Debug, thiserror::Error)]
pub enum SetPasswordError {
    /// The password is not acceptable.
    #[error(transparent)]
    Invalid(PasswordError),
    /// There is no such user any more.
    #[error("there is no such user")]
    NoSuchUser,
    /// Try again later.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Auth {
    /// Finds a user by their email address, in whatever spelling.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        self.store.user_by_email(email).await
    }

    /// At most `limit` users in the order in which they registered, those after `after`.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.store.users(after, limit).await
    }

    /// Sets a user's password without asking for the old one, and ends all of their sessions.
    ///
    /// # Errors
    ///
    /// When the password is not acceptable, the user is gone, or the service cannot do it now.
    pub async fn set_password(
        &self,
        user: &User,
        password: &str,
        caller: &Caller,
    ) -> Result<(), SetPasswordError> {
        let context =
            PasswordContext { email: user.email.as_str(), username: user.username.as_str() };
        let password = self.new_password(password, context).await?;
        let password = password.map_err(SetPasswordError::Invalid)?;
        let hash = self.hasher.hash(password, caller, &mut Self::rng()).await?;
        let entry = self.entry(AuthEventKind::PasswordChanged, Some(user.id), None, caller);
        let replace = self.store.replace_password(user.id, &hash, None, &entry);
        if !self.cache.changing(user.id, replace).await? {
            return Err(SetPasswordError::NoSuchUser);
        }
        self.publish(&entry.event);
        self.forget_browsers(user.id, None).await;
        self.forget_failures(user.id).await;
        Ok(())
    }

    /// Lets a user in, who is slowed down by no earlier failures, or shuts them out, which ends all
    /// of their sessions. False when there is no
    /// such user.
    ///
    /// # Errors
    ///
    /// When nothing was changed.
    pub async fn set_active(
        &self,
        user: UserId,
        active: bool,
        caller: &Caller,
    ) -> Result<bool, StoreError> {
        let kind = if active { AuthEventKind::UserEnabled } else { AuthEventKind::UserDisabled };
        let entry = self.entry(kind, Some(user), None, caller);
        let set = self.store.set_active(user, active, &entry);
        let changed = self.cache.changing(user, set).await?;
        if changed {
            self.publish(&entry.event);
        }
        match active {
            true => self.forget_failures(user).await,
            false => self.forget_browsers(user, None).await,
        }
        Ok(changed)
    }

    /// Removes a user and all that belongs to them, but what the audit trail says of them. False
    /// when there is no such user.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    pub async fn delete_user(&self, user: UserId, caller: &Caller) -> Result<bool, StoreError> {
        let entry = self.entry(AuthEventKind::UserDeleted, Some(user), None, caller);
        let delete = self.store.delete_user(user, &entry);
        let deleted = self.cache.changing(user, delete).await?;
        if deleted {
            self.publish(&entry.event);
            self.forget_browsers(user, None).await;
        }
        Ok(deleted)
    }
}
