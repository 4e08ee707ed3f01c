use async_trait::async_trait;

use crate::{
    Basis, EmailAddress, HashCount, PasswordHash, Record, SessionRenewal, StoreError, User, UserId,
    Username,
};

/// What a user is called from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renaming<'a> {
    /// Their email address, with which they log in.
    Email(&'a EmailAddress),
    /// Their username, which others see.
    Username(&'a Username),
}

/// Keeps users.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Saves a new user. Whether the email address is free is decided here and nowhere before.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`] when another user has the email address.
    async fn insert_user(&self, user: &User, record: &Record) -> Result<(), StoreError>;

    /// Finds a user.
    async fn user_by_id(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Finds the user with this email address, in whatever spelling.
    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError>;

    /// Lists at most `limit` users in the order in which they registered, beginning after `after`.
    async fn list_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError>;

    /// Counts the users who have a password by what its hash costs, the commonest cost first. It is asked
    /// four times an hour. By default it reads the users, and no more than the first hundred thousand: a
    /// store that has more should count them itself.
    async fn count_hashes(&self) -> Result<Vec<HashCount>, StoreError> {
        const PAGE: u32 = 1_000;
        const PAGES: u32 = 100;
        let (mut counts, mut after) = (Vec::new(), None);
        for _ in 0..PAGES {
            let users = self.list_users(after, PAGE).await?;
            let hashes = users.iter().filter_map(|user| user.password_hash.as_ref());
            HashCount::add(&mut counts, HashCount::of(hashes));
            after = users.last().map(|user| user.id);
            if users.len() < PAGE as usize {
                break;
            }
        }
        Ok(counts)
    }

    /// Sets a new password, and ends all that belongs to the user: sessions, remembered logins, known
    /// browsers, and logins that wait for a second factor. A user who sets it in a session keeps that
    /// session, with a new token; it belongs to no remembered login any more. False when there is no such
    /// user, or when the renewal's [`Basis`] does not hold.
    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        renewal: Option<SessionRenewal<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError>;

    /// Replaces the hash of an unchanged password, if it still is `from`. Ends nothing.
    async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<bool, StoreError>;

    /// Gives a user another email address or username, and ends nothing. Whether an address is free is
    /// decided here; their own is, in every spelling. False when there is no such user, or when the basis
    /// does not hold; an administrator's change has none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`] when another user has the email address.
    async fn rename_user(
        &self,
        id: UserId,
        to: Renaming<'_>,
        basis: Option<Basis<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError>;

    /// Lets a user in, or shuts them out, which ends all that belongs to them. False when there is no such
    /// user.
    async fn set_active(
        &self,
        id: UserId,
        active: bool,
        record: &Record,
    ) -> Result<bool, StoreError>;

    /// Removes a user and all that belongs to them. False when there is no such user, or when the basis
    /// does not hold; an administrator's deletion has none.
    async fn delete_user(
        &self,
        id: UserId,
        basis: Option<Basis<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError>;
}
