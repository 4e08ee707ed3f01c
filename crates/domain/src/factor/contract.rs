//! Logins that wait for a second factor.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a test says that a promise is broken by panicking"
)]

use futures_util::future::join_all;
use time::Duration;

use crate::contract::fixtures::{START, Seed, register, token, user};
use crate::store::Store;
use crate::{CounterKey, HashDigest, Method, PendingLogin, PendingStore, TokenDigest, User};

fn pending(store: &impl Store) -> &dyn PendingStore {
    store.pending().expect("the store keeps pending logins")
}

/// Saves `ada` and a login of hers that waits for ten minutes.
async fn ada_waiting(store: &impl Store) -> (User, PendingLogin, TokenDigest) {
    let ada = user("ada", 1);
    register(store, &ada).await;
    let (login, token) = login(&ada, 0);
    pending(store).save_pending(&login, &token).await.expect("the login is saved");
    (ada, login, token)
}

/// Returns a login that begins after `seconds`, with every field set.
fn login(user: &User, seconds: u8) -> (PendingLogin, TokenDigest) {
    let start = START + Duration::seconds(seconds.into());
    let mut login = PendingLogin::new(user.id, start, start + Duration::minutes(10));
    login.methods = Method::Password.into();
    login.password = user.password_hash.as_ref().map(HashDigest::of);
    login.remember = true;
    let key = |byte| CounterKey::from_bytes(&[byte; CounterKey::BYTES]).expect("a key");
    login.counted = vec![(key(1), START), (key(2), START + Duration::MICROSECOND)];
    (login, token(&mut Seed(60 + seconds)))
}

/// Checks that a waiting login reads back as saved until it expires.
pub async fn a_pending_login_reads_back_and_ends_in_time(store: &impl Store) {
    let (ada, login, token) = ada_waiting(store).await;
    let at = async |now| pending(store).pending_by_token(&token, now).await.expect("it answers");
    assert_eq!(at(START).await, Some(login.clone()));
    assert_eq!(at(login.expires_at - Duration::MICROSECOND).await, Some(login.clone()));
    assert_eq!(at(login.expires_at).await, None);
    let bare = PendingLogin::new(ada.id, START, login.expires_at);
    let other = crate::contract::fixtures::token(&mut Seed(99));
    pending(store).save_pending(&bare, &other).await.expect("the login is saved");
    let found = pending(store).pending_by_token(&other, START).await.expect("it answers");
    assert_eq!(found, Some(bare));
}

/// Checks that a try is counted before its outcome is known.
pub async fn a_pending_login_takes_so_many_tries_however_many_come_at_once(store: &impl Store) {
    let (_, login, token) = ada_waiting(store).await;
    let late = pending(store).try_pending(&token, login.expires_at).await;
    assert_eq!(late.expect("the store answers"), None);
    let tries = (0..16).map(|_| pending(store).try_pending(&token, START));
    let tries = join_all(tries).await;
    let let_in = tries.iter().filter(|tried| matches!(tried, Ok(Some(_)))).count();
    assert_eq!(let_in, PendingLogin::MAX_TRIES as usize);
    assert!(tries.iter().all(Result::is_ok));
    let over = pending(store).pending_by_token(&token, START).await;
    assert_eq!(over.expect("the store answers"), None);
}

/// Checks that one of many who complete a login at once succeeds.
pub async fn a_pending_login_ends_for_one_of_many(store: &impl Store) {
    let (_, _, token) = ada_waiting(store).await;
    let ends = join_all((0..10).map(|_| pending(store).end_pending(&token))).await;
    assert_eq!(ends.iter().filter(|ended| matches!(ended, Ok(true))).count(), 1);
    assert!(ends.iter().all(Result::is_ok));
    let gone = pending(store).pending_by_token(&token, START).await;
    assert_eq!(gone.expect("the store answers"), None);
    let tried = pending(store).try_pending(&token, START).await;
    assert_eq!(tried.expect("the store answers"), None);
}

/// Checks that the oldest logins of a user end, and that expired ones are removed in batches.
pub async fn only_so_many_logins_of_a_user_wait_and_the_expired_are_purged(store: &impl Store) {
    let (ada, _, first) = ada_waiting(store).await;
    for seconds in 1..=10 {
        let (login, token) = login(&ada, seconds);
        pending(store).save_pending(&login, &token).await.expect("the login is saved");
    }
    let gone = pending(store).pending_by_token(&first, START).await;
    assert_eq!(gone.expect("the store answers"), None);
    let later = START + Duration::minutes(10) + Duration::seconds(5);
    let purge = async |limit| pending(store).purge_pending(later, limit).await.expect("it purges");
    assert_eq!((purge(3).await, purge(9).await, purge(9).await), (3, 1, 0));
}

/// Checks that a login that a wrong clock began in the future has ended, and pushes out no other.
pub async fn a_pending_login_from_the_future_ends_and_keeps_none_from_waiting(store: &impl Store) {
    let (ada, first, first_token) = ada_waiting(store).await;
    let tomorrow = START + Duration::DAY;
    let mut tokens = Vec::new();
    for seed in 0..10 {
        let mut login = PendingLogin::new(ada.id, tomorrow, tomorrow + Duration::minutes(10));
        login.methods = Method::Password.into();
        let token = token(&mut Seed(100 + seed));
        pending(store).save_pending(&login, &token).await.expect("the login is saved");
        tokens.push(token);
    }
    for token in &tokens {
        let found = pending(store).pending_by_token(token, START).await;
        assert_eq!(found.expect("the store answers"), None);
        let tried = pending(store).try_pending(token, START).await;
        assert_eq!(tried.expect("the store answers"), None);
    }
    pending(store).end_pending(&first_token).await.expect("it answers");
    pending(store).save_pending(&first, &first_token).await.expect("the login is saved");
    let found = pending(store).pending_by_token(&first_token, START).await;
    assert_eq!(found.expect("the store answers"), Some(first.clone()));
    let purge = async |limit| pending(store).purge_pending(START, limit).await.expect("it purges");
    assert_eq!((purge(4).await, purge(9).await, purge(9).await), (4, 5, 0));
    let found = pending(store).pending_by_token(&first_token, START).await;
    assert_eq!(found.expect("the store answers"), Some(first));
}
