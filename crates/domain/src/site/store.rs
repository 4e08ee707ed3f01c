use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{SiteSecret, StoreError};

/// Keeps what is true of a whole site.
#[async_trait]
pub trait SiteStore: Send + Sync {
    /// Returns the secret of the site, which `new` becomes if there is none yet. All who ask at once get the
    /// same.
    async fn site_secret(&self, new: &SiteSecret) -> Result<SiteSecret, StoreError>;

    /// Returns when something was last cleaned up by a clock that was believed.
    async fn cleaned_at(&self) -> Result<Option<OffsetDateTime>, StoreError>;

    /// Notes that something is cleaned up, by a clock that is believed. It may be earlier than what was noted
    /// before, by a clock that was wrong.
    async fn note_cleaning(&self, at: OffsetDateTime) -> Result<(), StoreError>;
}
