use async_trait::async_trait;

use crate::memory::MemoryStore;
use crate::{
    EmailAddress, Field, PasswordHash, Record, SessionId, StoreError, User, UserId, UserStore,
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
        keep: Option<SessionId>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(user) = state.users.get_mut(&id) else {
            return Ok(false);
        };
        user.password_hash = Some(hash.clone());
        user.updated_at = record.at();
        let kept = keep.and_then(|kept| state.sessions.get_mut(&kept));
        if let Some((_, kept)) = kept.filter(|(_, kept)| kept.user_id == id) {
            kept.remembered = None;
        }
        state.end_sessions(id, keep);
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
            state.end_sessions(id, None);
        }
        state.record(record);
        Ok(true)
    }

    async fn delete_user(&self, id: UserId, record: &Record) -> Result<bool, StoreError> {
        let mut state = self.state();
        state.end_sessions(id, None);
        let was_there = state.users.remove(&id).is_some();
        if was_there {
            state.record(record);
        }
        Ok(was_there)
    }
}
