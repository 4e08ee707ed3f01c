//! A user's email address and username.

use countersign_domain::{
    AuthEventKind, EmailAddress, EmailError, Renaming, StoreError, Username, UsernameError,
};

use super::Account;
use super::confirm::{ConfirmError, Confirmed};
use crate::throttle::NotCounted;

/// Why a user is still called what they were called before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenameError {
    /// The email address is not acceptable.
    #[error("the email address is invalid: {0}")]
    Email(EmailError),
    /// The username is not acceptable.
    #[error("the username is invalid: {0}")]
    Username(UsernameError),
    /// Another user has the email address.
    #[error("the email address is taken")]
    EmailTaken,
    /// The user has not proved who they are, or the service cannot do it now.
    #[error(transparent)]
    Current(#[from] ConfirmError),
}

impl Account<'_> {
    /// Gives the user another email address, with which they log in from now on. It needs a fresh login. No
    /// session ends. Each try counts as a registration, since it says as much about who has an account, and as
    /// one of the few changes of what a user is called.
    ///
    /// # Errors
    ///
    /// When the address is invalid or another user's, the login is not fresh, or the service cannot do it now.
    pub async fn change_email(&self, email: &str) -> Result<EmailAddress, RenameError> {
        let email = EmailAddress::parse(email).map_err(RenameError::Email)?;
        if !self.who.is_fresh {
            return Err(ConfirmError::NotFresh.into());
        }
        let acting = self.acting();
        let present = acting.present(self.who).await?;
        if present.user().email.as_str() == email.as_str() {
            return Ok(email);
        }
        acting.try_registration().await?;
        acting.try_renaming(self.who.user.id).await?;
        self.rename(AuthEventKind::EmailChanged, Renaming::Email(&email), &present).await?;
        Ok(email)
    }

    /// Gives the user another username. No session ends.
    ///
    /// # Errors
    ///
    /// When the name is invalid, the session has ended, or the service cannot do it now.
    pub async fn change_username(&self, username: &str) -> Result<Username, RenameError> {
        let username = Username::parse(username).map_err(RenameError::Username)?;
        let present = self.acting().present(self.who).await?;
        if present.user().username != username {
            self.acting().try_renaming(self.who.user.id).await?;
            let to = Renaming::Username(&username);
            self.rename(AuthEventKind::UsernameChanged, to, &present).await?;
        }
        Ok(username)
    }

    async fn rename(
        &self,
        kind: AuthEventKind,
        to: Renaming<'_>,
        present: &Confirmed,
    ) -> Result<(), RenameError> {
        let (acting, user) = (self.acting(), self.who.user.id);
        let record = acting.record(kind, Some(user), Some(self.who.session.id));
        let renamed = acting.change(Some(user), &record, |store, record| {
            store.users().rename_user(user, to, Some(present.basis()), record)
        });
        match renamed.await? {
            true => Ok(()),
            false => Err(match acting.why_not(self.who).await? {
                // Their password was changed in this very session meanwhile.
                ConfirmError::WrongPassword => ConfirmError::NotFresh.into(),
                error => error.into(),
            }),
        }
    }
}

impl From<StoreError> for RenameError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken(_) => Self::EmailTaken,
            error => Self::Current(error.into()),
        }
    }
}

impl From<NotCounted> for RenameError {
    fn from(error: NotCounted) -> Self {
        Self::Current(error.into())
    }
}
