use async_trait::async_trait;
use time::OffsetDateTime;

use crate::memory::{MemoryStore, purge};
use crate::{BrowserStore, KnownBrowser, StoreError, TokenDigest};

#[async_trait]
impl BrowserStore for MemoryStore {
    async fn save_browser(
        &self,
        browser: &KnownBrowser,
        max_per_user: u32,
    ) -> Result<(), StoreError> {
        let browsers = &mut self.state().browsers;
        browsers.push(*browser);
        let theirs = browsers.iter().filter(|b| b.user_id == browser.user_id).count();
        let beyond = u32::try_from(theirs).unwrap_or(u32::MAX).saturating_sub(max_per_user);
        purge(browsers, beyond, |b| b.user_id == browser.user_id);
        Ok(())
    }

    async fn browser_by_token(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<KnownBrowser>, StoreError> {
        Ok(self.state().browsers.iter().find(|b| b.token == *token).copied())
    }

    async fn purge_browsers(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        Ok(purge(&mut self.state().browsers, limit, |b| b.expires_at < now))
    }
}
