use async_trait::async_trait;
use time::OffsetDateTime;

use crate::memory::{MemoryStore, purge};
use crate::{BrowserStore, BrowserUse, KnownBrowser, StoreError, TokenDigest};

#[async_trait]
impl BrowserStore for MemoryStore {
    async fn save_browser(&self, browser: &KnownBrowser) -> Result<(), StoreError> {
        let browsers = &mut self.state().browsers;
        browsers.push(*browser);
        let all = browsers.iter().filter(|b| b.user_id == browser.user_id).copied();
        let too_many = KnownBrowser::too_many(&all.collect::<Vec<_>>(), &browser.token);
        browsers.retain(|b| !too_many.contains(&b.token));
        Ok(())
    }

    async fn use_browsers(&self, used: &[BrowserUse]) -> Result<(), StoreError> {
        let browsers = &mut self.state().browsers;
        for BrowserUse { token, user, at } in used {
            let theirs = browsers.iter_mut().filter(|b| b.token == *token && b.user_id == *user);
            theirs.for_each(|browser| *browser = browser.used(*at));
        }
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
