//! What an administrator does with accounts.

use countersign_domain::{
    Client, EmailAddress, PasswordContext, PasswordError, StoreError, User, UserId,
};

use crate::{Auth, AuthEventKind, Overloaded};

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
    pub async fn set_password(&self, user: &User, password: &str) -> Result<(), SetPasswordError> {
        let context =
            PasswordContext { email: user.email.as_str(), username: user.username.as_str() };
        let password = self.new_password(password, context).await?;
        let password = password.map_err(SetPasswordError::Invalid)?;
        let hash = self.hasher.hash(password, &mut Self::rng()).await?;
        if !self.store.replace_password(user.id, &hash, None, self.clock.now()).await? {
            return Err(SetPasswordError::NoSuchUser);
        }
        self.tell_of_account(AuthEventKind::PasswordChanged, user.id);
        Ok(())
    }

    /// Lets a user in, or shuts them out, which ends all of their sessions. False when there is no
    /// such user.
    ///
    /// # Errors
    ///
    /// When nothing was changed.
    pub async fn set_active(&self, user: UserId, active: bool) -> Result<bool, StoreError> {
        let changed = self.store.set_active(user, active, self.clock.now()).await?;
        if changed {
            let kind =
                if active { AuthEventKind::UserEnabled } else { AuthEventKind::UserDisabled };
            self.tell_of_account(kind, user);
        }
        Ok(changed)
    }

    /// Removes a user and all that belongs to them. False when there is no such user.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    pub async fn delete_user(&self, user: UserId) -> Result<bool, StoreError> {
        let deleted = self.store.delete_user(user).await?;
        if deleted {
            self.tell_of_account(AuthEventKind::UserDeleted, user);
        }
        Ok(deleted)
    }

    /// An administrator's doing comes from no client.
    fn tell_of_account(&self, kind: AuthEventKind, user: UserId) {
        self.tell(kind, Some(user), None, &Client::default());
    }
}
