//! What an administrator does with accounts.

use countersign_domain::{
    AuthEventKind, EmailAddress, PasswordContext, PasswordError, Renaming, StoreError, User, UserId,
};

use crate::core::{Acting, Core};
use crate::password::advice::PasswordAdvice;
use crate::password::choose::NotChosen;
use crate::password::workers::Overloaded;

/// Finds users.
#[derive(Clone, Copy)]
pub struct Users<'a>(pub(crate) &'a Core);

impl Users<'_> {
    /// Finds a user.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.0.store.users().user_by_id(id).await
    }

    /// Finds a user by their email address, in whatever spelling.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        self.0.store.users().user_by_email(email).await
    }

    /// Lists at most `limit` users in the order in which they registered, beginning after `after`.
    ///
    /// # Errors
    ///
    /// When the store cannot say.
    pub async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.0.store.users().list_users(after, limit).await
    }
}

/// What an administrator does with accounts.
#[derive(Clone, Copy)]
pub struct Admin<'a>(pub(crate) Acting<'a>);

/// Why a password was not set. The old one still holds.
#[derive(Debug, thiserror::Error)]
pub enum SetPasswordError {
    /// The password is not acceptable.
    #[error(transparent)]
    Invalid(PasswordError),
    /// The user has been deleted.
    #[error("there is no such user")]
    NoSuchUser,
    /// Try again later.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<'a> Acting<'a> {
    /// Acts on accounts as an administrator.
    pub fn admin(self) -> Admin<'a> {
        Admin(self)
    }
}

impl Admin<'_> {
    /// Sets a user's password without asking for the old one, and ends all of their sessions. Returns what
    /// to tell about the password; nothing when it is strong.
    ///
    /// # Errors
    ///
    /// When the password is not acceptable, the user is gone, or the service cannot do it now.
    pub async fn set_password(
        &self,
        user: &User,
        password: &str,
    ) -> Result<Option<PasswordAdvice>, SetPasswordError> {
        let acting = self.0;
        let context =
            PasswordContext { email: user.email.as_str(), username: user.username.as_str() };
        let read = acting.read_new_password(password, context);
        let read = read.map_err(SetPasswordError::Invalid)?;
        let chosen = acting.choose_password(password, read, context).await?;
        let record = acting.record(AuthEventKind::PasswordChanged, Some(user.id), None);
        let changed = acting.change(Some(user.id), &record, |store, record| {
            store.users().replace_password(user.id, &chosen.hash, None, record)
        });
        if !changed.await? {
            return Err(SetPasswordError::NoSuchUser);
        }
        acting.forget_failures(user.id).await;
        Ok(chosen.advice)
    }

    /// Gives a user another email address, with which they log in from now on, or another username. No session
    /// ends. False when there is no such user.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`] when another user has the address; otherwise when nothing was changed.
    pub async fn rename(&self, user: UserId, to: Renaming<'_>) -> Result<bool, StoreError> {
        let acting = self.0;
        let kind = match to {
            Renaming::Email(_) => AuthEventKind::EmailChanged,
            Renaming::Username(_) => AuthEventKind::UsernameChanged,
        };
        let record = acting.record(kind, Some(user), None);
        let renamed = acting.change(Some(user), &record, |store, record| {
            store.users().rename_user(user, to, None, record)
        });
        renamed.await
    }

    /// Lets a user in, and forgets their earlier failures; or shuts them out, which ends all of their
    /// sessions. False when there is no such user.
    ///
    /// # Errors
    ///
    /// When nothing was changed.
    pub async fn set_active(&self, user: UserId, active: bool) -> Result<bool, StoreError> {
        let acting = self.0;
        let kind = if active { AuthEventKind::UserEnabled } else { AuthEventKind::UserDisabled };
        let record = acting.record(kind, Some(user), None);
        let changed = acting.change(Some(user), &record, |store, record| {
            store.users().set_active(user, active, record)
        });
        let changed = changed.await?;
        if active {
            acting.forget_failures(user).await;
        }
        Ok(changed)
    }

    /// Removes a user and all that belongs to them, except what the audit trail says of them. False when
    /// there is no such user.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    pub async fn delete(&self, user: UserId) -> Result<bool, StoreError> {
        let acting = self.0;
        let record = acting.record(AuthEventKind::UserDeleted, Some(user), None);
        let deleted = acting.change(Some(user), &record, |store, record| {
            store.users().delete_user(user, None, record)
        });
        deleted.await
    }
}

impl From<NotChosen> for SetPasswordError {
    fn from(error: NotChosen) -> Self {
        match error {
            NotChosen::Breached(error) => Self::Invalid(error),
            NotChosen::Overloaded(overloaded) => overloaded.into(),
            NotChosen::Store(error) => error.into(),
        }
    }
}
