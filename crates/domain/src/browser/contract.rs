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
use crate::{BrowserStore, BrowserUse, KnownBrowser, UserId};

fn browsers(store: &impl Store) -> &dyn BrowserStore {
    store.browsers().expect("the store keeps browsers")
}

fn browser(user_id: UserId, seed: u8, created_at: OffsetDateTime) -> KnownBrowser {
    let expires_at = created_at + Duration::days(365);
    KnownBrowser::new(user_id, token(&mut Seed(seed)), created_at, expires_at)
}

async fn save(store: &impl Store, browser: &KnownBrowser) {
    browsers(store).save_browser(browser).await.expect("the browser is known");
}

async fn find(store: &impl Store, browser: &KnownBrowser) -> Option<KnownBrowser> {
    browsers(store).browser_by_token(&browser.token).await.expect("it answers")
}

async fn note(store: &impl Store, user: UserId, browser: &KnownBrowser, at: OffsetDateTime) {
    let used = BrowserUse { token: browser.token, user, at };
    browsers(store).use_browsers(&[used]).await.expect("it is noted");
}

/// Checks that a browser reads back as saved, whoever else has one.
pub async fn a_browser_reads_back_as_saved(store: &impl Store) {
    let (ada, eve) = (user("ada", 1).id, user("eve", 2).id);
    let other = browser(eve, 9, START);
    save(store, &other).await;
    let mine = [1, 2].map(|n| browser(ada, n, START + Duration::seconds(n.into())));
    for browser in &mine {
        save(store, browser).await;
        assert_eq!(find(store, browser).await, Some(*browser));
    }
    assert_eq!(find(store, &other).await, Some(other));
}

/// Checks that the use of a browser is noted forwards only, and for its own user.
pub async fn a_browser_that_shows_its_token_has_come_back(store: &impl Store) {
    let (ada, eve) = (user("ada", 1).id, user("eve", 2).id);
    let mine = browser(ada, 1, START);
    save(store, &mine).await;
    let soon = START + Duration::minutes(59);
    note(store, eve, &mine, soon).await;
    assert_eq!(find(store, &mine).await, Some(mine));
    note(store, ada, &mine, soon).await;
    assert_eq!(find(store, &mine).await, Some(KnownBrowser { used_at: soon, ..mine }));
    note(store, ada, &mine, START + Duration::minutes(1)).await;
    assert_eq!(find(store, &mine).await, Some(KnownBrowser { used_at: soon, ..mine }));
    let back = START + KnownBrowser::PROVEN_AFTER;
    note(store, ada, &mine, back).await;
    let proven = KnownBrowser { used_at: back, is_proven: true, ..mine };
    assert_eq!(find(store, &mine).await, Some(proven));
    note(store, ada, &browser(ada, 2, START), back).await;
    browsers(store).use_browsers(&[]).await.expect("nothing happens");
}

/// Checks that browsers that never come back make the store forget none that does.
pub async fn what_never_comes_back_evicts_no_browser(store: &impl Store) {
    let (ada, eve) = (user("ada", 1).id, user("eve", 2).id);
    let others = browser(eve, 200, START);
    save(store, &others).await;
    let at = |minutes| START + Duration::minutes(minutes);
    let (old, new) = (browser(ada, 100, START), browser(ada, 101, START));
    save(store, &old).await;
    note(store, ada, &old, at(90)).await;
    save(store, &new).await;
    let scripts: Vec<_> = (1..=30).map(|n| browser(ada, n, at(91 + i64::from(n)))).collect();
    for script in &scripts {
        save(store, script).await;
    }
    assert!(find(store, &old).await.is_some(), "it came back");
    assert!(find(store, &new).await.is_some(), "it was there before all the others");
    assert!(find(store, &scripts[29]).await.is_some(), "it was the last");
    let mut known = 0;
    for script in &scripts {
        known += usize::from(find(store, script).await.is_some());
    }
    assert_eq!(known, KnownBrowser::MAX_UNPROVEN - 1);
    // The last one shows its token, which the others never do.
    note(store, ada, &scripts[29], at(125)).await;
    for n in 31..=40 {
        save(store, &browser(ada, n, at(130 + i64::from(n)))).await;
    }
    assert!(find(store, &scripts[29]).await.is_some());
    assert!(find(store, &others).await.is_some());
}

/// Checks that of more browsers that come back than may be known the least recently used are forgotten.
pub async fn of_browsers_that_come_back_the_least_recently_used_are_forgotten(store: &impl Store) {
    let ada = user("ada", 1).id;
    let at = |hours| START + Duration::hours(hours);
    let all: Vec<_> = (1..=22).map(|n| browser(ada, n, at(i64::from(n)))).collect();
    for (n, browser) in (1..).zip(&all) {
        save(store, browser).await;
        note(store, ada, browser, at(n + 1)).await;
        // The oldest is in use.
        note(store, ada, &all[0], at(n + 1)).await;
    }
    save(store, &browser(ada, 99, at(101))).await;
    let known = async |n: usize| find(store, &all[n]).await.is_some();
    assert!(known(0).await && !known(1).await && !known(2).await);
    for n in 3..22 {
        assert!(known(n).await, "{n}");
    }
}

/// Checks that a purge removes expired browsers only, and a batch at a time.
pub async fn only_expired_browsers_are_purged_and_only_so_many(store: &impl Store) {
    let ada = user("ada", 1).id;
    for n in 1..5 {
        let since = START + Duration::days(i64::from(n == 4));
        browsers(store).save_browser(&browser(ada, n, since)).await.expect("the browser is known");
    }
    let later = START + Duration::days(365) + Duration::SECOND;
    assert_eq!(browsers(store).purge_browsers(later, 2).await.expect("they are purged"), 2);
    assert_eq!(browsers(store).purge_browsers(later, 9).await.expect("they are purged"), 1);
    assert_eq!(browsers(store).purge_browsers(later, 9).await.expect("none is left"), 0);
}
