use async_trait::async_trait;
use time::OffsetDateTime;

use crate::memory::MemoryStore;
use crate::{SiteSecret, SiteStore, StoreError};

#[async_trait]
impl SiteStore for MemoryStore {
    async fn site_secret(&self, new: &SiteSecret) -> Result<SiteSecret, StoreError> {
        Ok(self.state().secret.get_or_insert_with(|| new.clone()).clone())
    }

    async fn cleaned_at(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(self.state().cleaned_at)
    }

    async fn note_cleaning(&self, at: OffsetDateTime) -> Result<(), StoreError> {
        self.state().cleaned_at = Some(at);
        Ok(())
    }
}
