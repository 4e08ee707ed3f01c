//! What is true of a whole site.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a test says that a promise is broken by panicking"
)]

use futures_util::future::join_all;
use time::Duration;

use crate::contract::fixtures::{START, Seed};
use crate::store::Store;
use crate::{SiteSecret, SiteStore};

fn site(store: &impl Store) -> &dyn SiteStore {
    store.site().expect("the store keeps what is true of the site")
}

/// Checks that a site has one secret, whoever asks first.
pub async fn a_site_has_one_secret(store: &impl Store) {
    let new: Vec<_> = (0..8).map(|seed| SiteSecret::generate(&mut Seed(seed))).collect();
    let secrets = join_all(new.iter().map(|new| site(store).site_secret(new))).await;
    let secrets: Vec<_> =
        secrets.into_iter().map(|secret| *secret.expect("it has one").as_bytes()).collect();
    assert!(new.iter().any(|new| Some(new.as_bytes()) == secrets.first()));
    let again = site(store).site_secret(&SiteSecret::generate(&mut Seed(99))).await;
    let again = *again.expect("it has one").as_bytes();
    assert!(secrets.iter().all(|secret| *secret == again));
}

/// Checks that the last cleaning is known, also where the clock was set back since.
pub async fn the_last_cleaning_is_known(store: &impl Store) {
    let known = async || site(store).cleaned_at().await.expect("the store answers");
    assert_eq!(known().await, None);
    for at in [START, START + Duration::DAY, START + Duration::MICROSECOND] {
        site(store).note_cleaning(at).await.expect("it is noted");
        assert_eq!(known().await, Some(at));
    }
}
