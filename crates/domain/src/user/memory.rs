use async_trait::async_trait;

use crate::memory::MemoryStore;
use crate::{
    Basis, EmailAddress, Field, Keep, PasswordHash, Record, Renaming, SessionRenewal, StoreError,
    User, UserId, UserStore,
};

#[async_trait]
impl UserStore for MemoryStore {
    async fn insert_user(&self, user: &User, record: &Record) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.users.values().any(|other| other.email == user.email) {
            return Err(StoreError::Taken(Field::Email));
        }
        state.users.insert(user.id, user.clone());
        state.record(record);
        Ok(())
    }

    async fn user_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().users.get(&id).cloned())
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        Ok(self.state().users.values().find(|user| user.email == *email).cloned())
    }

    async fn list_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let mut users: Vec<_> = self.state().users.values().cloned().collect();
        users.sort_by_key(|user| user.id);
        users.retain(|user| after.is_none_or(|after| user.id > after));
        users.truncate(limit as usize);
        Ok(users)
    }

    async fn replace_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        renewal: Option<SessionRenewal<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if renewal.is_some_and(|renewal| !state.holds(renewal.basis)) {
            return Ok(false);
        }
        let Some(user) = state.users.get_mut(&id) else {
            return Ok(false);
        };
        user.password_hash = Some(hash.clone());
        user.updated_at = record.at();
        let keep = renewal.map(|renewal| {
            let session = renewal.basis.session;
            if let Some((_, session)) = state.sessions.get_mut(&session) {
                session.remembered = None;
            }
            state.renew(renewal);
            Keep { session, browser: None }
        });
        state.end_all(id, keep);
        state.record(record);
        Ok(true)
    }

    async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let user = state.users.get_mut(&id).filter(|u| u.password_hash.as_ref() == Some(from));
        Ok(user.map(|user| user.password_hash = Some(to.clone())).is_some())
    }

    async fn rename_user(
        &self,
        id: UserId,
        to: Renaming<'_>,
        basis: Option<Basis<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if basis.is_some_and(|basis| !state.holds(basis)) || !state.users.contains_key(&id) {
            return Ok(false);
        }
        let has_it = |user: &User| matches!(to, Renaming::Email(email) if user.email == *email);
        if state.users.values().any(|other| other.id != id && has_it(other)) {
            return Err(StoreError::Taken(Field::Email));
        }
        if let Some(user) = state.users.get_mut(&id) {
            match to {
                Renaming::Email(email) => user.email = email.clone(),
                Renaming::Username(username) => user.username = username.clone(),
            }
            user.updated_at = record.at();
        }
        state.record(record);
        Ok(true)
    }

    async fn set_active(
        &self,
        id: UserId,
        active: bool,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(user) = state.users.get_mut(&id) else {
            return Ok(false);
        };
        user.is_active = active;
        user.updated_at = record.at();
        if !active {
            state.end_all(id, None);
        }
        state.record(record);
        Ok(true)
    }

    async fn delete_user(
        &self,
        id: UserId,
        basis: Option<Basis<'_>>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let holds = basis.is_none_or(|basis| state.holds(basis));
        if !holds || state.users.remove(&id).is_none() {
            return Ok(false);
        }
        state.end_all(id, None);
        state.record(record);
        Ok(true)
    }
}
