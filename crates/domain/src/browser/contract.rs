//! The browsers that users are known to use.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says that a promise is broken by panicking"
)]

use time::{Duration, OffsetDateTime};

use crate::contract::fixtures::{START, Seed, token, user};
use crate::store::Store;
use crate::{BrowserStore, KnownBrowser, UserId};

fn browsers(store: &impl Store) -> &dyn BrowserStore {
    store.browsers().expect("the store keeps browsers")
}

fn browser(user_id: UserId, seed: u8, created_at: OffsetDateTime) -> KnownBrowser {
    let expires_at = created_at + Duration::days(365);
    KnownBrowser::new(user_id, token(&mut Seed(seed)), created_at, expires_at)
}

/// Checks that a browser is known until its user has too many newer ones.
pub async fn browsers_are_known_until_there_are_too_many(store: &impl Store) {
    let (ada, eve) = (user("ada", 1).id, user("eve", 2).id);
    let other = browser(eve, 9, START);
    browsers(store).save_browser(&other, 2).await.expect("the browser is known");
    let mine: Vec<_> =
        (1..4).map(|n| browser(ada, n, START + Duration::seconds(n.into()))).collect();
    for browser in &mine {
        browsers(store).save_browser(browser, 2).await.expect("the browser is known");
    }
    let find = async |b: &KnownBrowser| {
        browsers(store).browser_by_token(&b.token).await.expect("it answers")
    };
    assert_eq!(find(&mine[0]).await, None);
    assert_eq!(find(&mine[1]).await, Some(mine[1]));
    assert_eq!((find(&mine[2]).await, find(&other).await), (Some(mine[2]), Some(other)));
}

/// Checks that a purge removes expired browsers only, and a batch at a time.
pub async fn only_expired_browsers_are_purged_and_only_so_many(store: &impl Store) {
    let ada = user("ada", 1).id;
    for n in 1..5 {
        let since = START + Duration::days(i64::from(n == 4));
        browsers(store)
            .save_browser(&browser(ada, n, since), 9)
            .await
            .expect("the browser is known");
    }
    let later = START + Duration::days(365) + Duration::SECOND;
    assert_eq!(browsers(store).purge_browsers(later, 2).await.expect("they are purged"), 2);
    assert_eq!(browsers(store).purge_browsers(later, 9).await.expect("they are purged"), 1);
    assert_eq!(browsers(store).purge_browsers(later, 9).await.expect("none is left"), 0);
}
