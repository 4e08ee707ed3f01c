//! What every store must do, as tests.
//!
//! In a test module of the crate that has the store, with tokio among its dev-dependencies:
//!
//! ```
//! # use countersign_domain::memory::MemoryStore;
//! countersign_domain::store_contract!(async || MemoryStore::default());
//! ```
//!
//! The argument is an async closure that makes an empty store for each test.
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says that a promise is broken by panicking"
)]

use futures_util::future::join_all;
use time::{Duration, OffsetDateTime};

use crate::store::{Field, SessionGrant, Store, StoreError};
use crate::{
    Client, CryptoRng, EmailAddress, PasswordHash, SecretToken, Session, SessionId, TokenDigest,
    User, UserId, Username,
};

/// Makes a test of each promise that a store gives; see the [module](crate::contract).
#[macro_export]
macro_rules! store_contract {
    ($make_store:expr) => {
        $crate::store_contract!(@tests $make_store;
            a_user_reads_back_as_saved,
            an_email_address_belongs_to_one_user_in_every_spelling,
            one_of_many_who_register_an_address_at_once_gets_it,
            users_are_listed_in_the_order_they_registered,
            a_new_password_ends_all_sessions_but_the_one_kept,
            an_upgraded_hash_ends_nothing_and_never_undoes_a_new_password,
            a_disabled_user_has_no_session_and_gets_none,
            a_deleted_user_leaves_nothing,
            a_session_is_found_by_its_token_with_its_user,
            a_session_is_saved_only_while_what_it_rests_on_holds,
            the_oldest_sessions_end_when_there_are_too_many,
            a_session_is_touched_forwards_only,
            a_session_is_ended_by_its_owner_alone,
            all_other_sessions_end_at_once,
            only_dead_sessions_are_purged_and_only_so_many,
            what_is_not_there_is_no_error,
        );
    };
    (@tests $make_store:expr; $($name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                let store = ($make_store)().await;
                $crate::contract::$name(&store).await;
            }
        )*
    };
}

const START: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00:00.000_001 UTC);

/// Ids and tokens that differ within a test. The contract must build without an operating system.
struct Counter(u8);

impl rand_core::TryRng for Counter {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0 += 1;
        bytes.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counter {}

fn email(typed: &str) -> EmailAddress {
    EmailAddress::parse(typed).expect("the contract's addresses are addresses")
}

/// A user called `name` at example.org, not yet saved.
fn user(name: &str, seed: u8) -> User {
    User {
        id: UserId::generate(START + Duration::seconds(seed.into()), &mut Counter(seed)),
        email: email(&format!("{name}@example.org")),
        username: Username::parse(name).expect("the contract's names are usernames"),
        password_hash: Some(PasswordHash::from_phc(format!("$argon2id${name}"))),
        is_active: true,
        created_at: START,
        updated_at: START,
    }
}

/// A session of `user` that began at `created_at`, and its token; not yet saved.
fn session(user: &User, created_at: OffsetDateTime, seed: u8) -> (Session, TokenDigest) {
    let rng = &mut Counter(seed);
    let session = Session {
        id: SessionId::generate(created_at, rng),
        user_id: user.id,
        client: Client::new(Some([203, 0, 113, seed].into()), Some("Contract/1.0")),
        created_at,
        authenticated_at: created_at,
        last_seen_at: created_at,
        expires_at: created_at + Duration::hours(12),
    };
    (session, token(rng))
}

fn token(rng: &mut impl CryptoRng) -> TokenDigest {
    SecretToken::generate(rng).digest()
}

/// Saves a session that nothing else is known of; the test fails if the store refuses it.
async fn insert(store: &impl Store, session: &Session, token: &TokenDigest) {
    let grant = SessionGrant { session, token, proof: None, max_per_user: 20 };
    assert!(store.insert_session(grant).await.expect("the session is saved"));
}

/// Saves `ada` and a session of hers.
async fn ada_logged_in(store: &impl Store) -> (User, Session, TokenDigest) {
    let ada = user("ada", 1);
    store.insert_user(&ada).await.expect("ada is saved");
    let (session, token) = session(&ada, START, 50);
    insert(store, &session, &token).await;
    (ada, session, token)
}

async fn is_live(store: &impl Store, token: &TokenDigest) -> bool {
    store.session_by_token(token).await.expect("the store answers").is_some()
}

/// What was saved is what is read, to the microsecond, by id and by email address.
pub async fn a_user_reads_back_as_saved(store: &impl Store) {
    let mut ada = user("ada", 1);
    ada.email = email("Ada.L+x@Bücher.example");
    ada.username = Username::parse("Ada 🦀 Lovelace").expect("a username");
    let mut bob = user("bob", 2);
    bob.password_hash = None;
    bob.is_active = false;
    for user in [&ada, &bob] {
        store.insert_user(user).await.expect("the user is saved");
        let by_id = store.user_by_id(user.id).await.expect("the store answers");
        assert_eq!(by_id.as_ref(), Some(user));
        let by_email = store.user_by_email(&user.email).await.expect("the store answers");
        assert_eq!(by_email.as_ref(), Some(user));
        let found = by_email.expect("just found");
        assert_eq!(found.email.as_str(), user.email.as_str(), "the address is kept as given");
    }
}

/// The unique key is the canonical form.
pub async fn an_email_address_belongs_to_one_user_in_every_spelling(store: &impl Store) {
    let ada = user("ada", 1);
    store.insert_user(&ada).await.expect("ada is saved");
    let mut impostor = user("eve", 2);
    impostor.email = email("ADA@Example.Org");
    let error = store.insert_user(&impostor).await.expect_err("the address is taken");
    assert!(matches!(error, StoreError::Taken(Field::Email)), "{error}");
    assert_eq!(store.user_by_id(impostor.id).await.expect("the store answers"), None);
    let found = store.user_by_email(&impostor.email).await.expect("the store answers");
    assert_eq!(found.map(|user| user.id), Some(ada.id));
    let namesake = User { email: email("ada@example.com"), ..user("ada", 3) };
    store.insert_user(&namesake).await.expect("a username need not be unique");
}

/// Whoever comes first has it; all others hear that it is taken.
pub async fn one_of_many_who_register_an_address_at_once_gets_it(store: &impl Store) {
    let rivals: Vec<User> = (1..=20).map(|seed| user("ada", seed)).collect();
    let results = join_all(rivals.iter().map(|rival| store.insert_user(rival))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StoreError::Taken(Field::Email)), "{error:?}");
    }
    assert_eq!(store.users(None, 10).await.expect("the store answers").len(), 1);
}

/// By id, which is by time; a page begins after the last one's end.
pub async fn users_are_listed_in_the_order_they_registered(store: &impl Store) {
    for (seed, name) in [(3, "carol"), (1, "ada"), (2, "bob")] {
        store.insert_user(&user(name, seed)).await.expect("the user is saved");
    }
    let first = store.users(None, 2).await.expect("the store answers");
    assert_eq!(first.iter().map(|u| u.username.as_str()).collect::<Vec<_>>(), ["ada", "bob"]);
    let rest = store.users(Some(first[1].id), 2).await.expect("the store answers");
    assert_eq!(rest.iter().map(|u| u.username.as_str()).collect::<Vec<_>>(), ["carol"]);
    assert!(store.users(Some(rest[0].id), 2).await.expect("the store answers").is_empty());
}

/// Whoever knows the old password is out.
pub async fn a_new_password_ends_all_sessions_but_the_one_kept(store: &impl Store) {
    let (ada, kept, kept_token) = ada_logged_in(store).await;
    let (other, other_token) = session(&ada, START, 60);
    insert(store, &other, &other_token).await;
    let (new, later) = (PasswordHash::from_phc("$argon2id$new"), START + Duration::HOUR);
    let changed = store.replace_password(ada.id, &new, Some(kept.id), later).await;
    assert!(changed.expect("the password is changed"));
    assert!(is_live(store, &kept_token).await);
    assert!(!is_live(store, &other_token).await);
    let ada = store.user_by_id(ada.id).await.expect("the store answers").expect("ada is there");
    assert_eq!((ada.password_hash, ada.updated_at), (Some(new.clone()), later));
    assert!(store.replace_password(ada.id, &new, None, later).await.expect("changed again"));
    assert!(!is_live(store, &kept_token).await);
}

/// A rehash is no change of password.
pub async fn an_upgraded_hash_ends_nothing_and_never_undoes_a_new_password(store: &impl Store) {
    let (ada, _, token) = ada_logged_in(store).await;
    let old = ada.password_hash.expect("ada has a password");
    let new = PasswordHash::from_phc("$argon2id$stronger");
    assert!(store.upgrade_password_hash(ada.id, &old, &new).await.expect("the hash is replaced"));
    assert!(is_live(store, &token).await);
    let late = PasswordHash::from_phc("$argon2id$late");
    assert!(!store.upgrade_password_hash(ada.id, &old, &late).await.expect("nothing happens"));
    let ada = store.user_by_id(ada.id).await.expect("the store answers").expect("ada is there");
    assert_eq!(ada.password_hash, Some(new));
}

/// Being shut out takes effect at once, and is undone without bringing a session back.
pub async fn a_disabled_user_has_no_session_and_gets_none(store: &impl Store) {
    let (ada, _, old_token) = ada_logged_in(store).await;
    assert!(store.set_active(ada.id, false, START).await.expect("ada is disabled"));
    assert!(!is_live(store, &old_token).await);
    let found = store.user_by_id(ada.id).await.expect("the store answers").expect("ada is there");
    assert!(!found.is_active);
    let (session, token) = session(&ada, START, 60);
    let grant = SessionGrant { session: &session, token: &token, proof: None, max_per_user: 20 };
    assert!(!store.insert_session(grant).await.expect("the session is refused"));
    assert!(store.set_active(ada.id, true, START).await.expect("ada is enabled"));
    assert!(!is_live(store, &old_token).await);
    insert(store, &session, &token).await;
}

/// Neither the user, nor a session, nor the claim to the email address.
pub async fn a_deleted_user_leaves_nothing(store: &impl Store) {
    let (ada, _, token) = ada_logged_in(store).await;
    assert!(store.delete_user(ada.id).await.expect("ada is deleted"));
    assert!(!is_live(store, &token).await);
    assert_eq!(store.user_by_id(ada.id).await.expect("the store answers"), None);
    assert!(store.sessions_of(ada.id).await.expect("the store answers").is_empty());
    store.insert_user(&user("ada", 9)).await.expect("the address is free again");
}

/// Both as saved.
pub async fn a_session_is_found_by_its_token_with_its_user(store: &impl Store) {
    let (ada, session, token) = ada_logged_in(store).await;
    let found = store.session_by_token(&token).await.expect("the store answers");
    assert_eq!(found, Some((session.clone(), ada.clone())));
    assert_eq!(store.sessions_of(ada.id).await.expect("the store answers"), [session]);
}

/// An active user, and the password that was checked.
pub async fn a_session_is_saved_only_while_what_it_rests_on_holds(store: &impl Store) {
    let ada = user("ada", 1);
    let (session, token) = session(&ada, START, 50);
    let grant = |proof| SessionGrant { session: &session, token: &token, proof, max_per_user: 20 };
    assert!(!store.insert_session(grant(None)).await.expect("there is no such user"));
    store.insert_user(&ada).await.expect("ada is saved");
    let stale = PasswordHash::from_phc("$argon2id$before");
    assert!(!store.insert_session(grant(Some(&stale))).await.expect("the password has changed"));
    assert!(!is_live(store, &token).await);
    assert!(store.insert_session(grant(ada.password_hash.as_ref())).await.expect("it is saved"));
    assert!(is_live(store, &token).await);
}

/// The newest stay.
pub async fn the_oldest_sessions_end_when_there_are_too_many(store: &impl Store) {
    let ada = user("ada", 1);
    store.insert_user(&ada).await.expect("ada is saved");
    let sessions: Vec<_> = (0..4_u8)
        .map(|n| session(&ada, START + Duration::minutes(n.into()), 50 + 10 * n))
        .collect();
    for (session, token) in &sessions {
        let grant = SessionGrant { session, token, proof: None, max_per_user: 2 };
        assert!(store.insert_session(grant).await.expect("the session is saved"));
    }
    let left = store.sessions_of(ada.id).await.expect("the store answers");
    assert_eq!(left, [sessions[3].0.clone(), sessions[2].0.clone()]);
}

/// Two requests may be written down in the wrong order.
pub async fn a_session_is_touched_forwards_only(store: &impl Store) {
    let (_, session, token) = ada_logged_in(store).await;
    let later = START + Duration::minutes(5);
    for at in [later, START + Duration::MINUTE] {
        store.touch_session(session.id, at).await.expect("the time is noted");
        let found = store.session_by_token(&token).await.expect("the store answers");
        assert_eq!(found.map(|(session, _)| session.last_seen_at), Some(later));
    }
}

/// An id of another's session is as good as none.
pub async fn a_session_is_ended_by_its_owner_alone(store: &impl Store) {
    let (ada, session, token) = ada_logged_in(store).await;
    let eve = user("eve", 2);
    store.insert_user(&eve).await.expect("eve is saved");
    assert!(!store.end_session(eve.id, session.id).await.expect("nothing happens"));
    assert!(is_live(store, &token).await);
    assert!(store.end_session(ada.id, session.id).await.expect("the session ends"));
    assert!(!is_live(store, &token).await);
    assert!(!store.end_session(ada.id, session.id).await.expect("it has ended already"));
}

/// Of this user, and of nobody else.
pub async fn all_other_sessions_end_at_once(store: &impl Store) {
    let (ada, kept, kept_token) = ada_logged_in(store).await;
    let eve = user("eve", 2);
    store.insert_user(&eve).await.expect("eve is saved");
    let (eves, eves_token) = session(&eve, START, 60);
    insert(store, &eves, &eves_token).await;
    for seed in [70, 80] {
        let (session, token) = session(&ada, START, seed);
        insert(store, &session, &token).await;
    }
    assert_eq!(store.end_sessions_of(ada.id, Some(kept.id)).await.expect("they end"), 2);
    assert!(is_live(store, &kept_token).await);
    assert_eq!(store.end_sessions_of(ada.id, None).await.expect("it ends"), 1);
    assert!(!is_live(store, &kept_token).await);
    assert!(is_live(store, &eves_token).await);
}

/// Expired or idle ones, a batch at a time.
pub async fn only_dead_sessions_are_purged_and_only_so_many(store: &impl Store) {
    let (ada, _, live_token) = ada_logged_in(store).await;
    let now = START + Duration::MINUTE;
    for seed in [60, 70, 80] {
        let (mut dead, token) = session(&ada, START - Duration::DAY, seed);
        if seed == 80 {
            dead.expires_at = now + Duration::DAY; // not expired, but idle
        } else {
            dead.last_seen_at = now;
        }
        insert(store, &dead, &token).await;
    }
    let idle_since = START - Duration::HOUR;
    let purge = async |limit| store.purge_sessions(now, idle_since, limit).await;
    assert_eq!(purge(2).await.expect("they are removed"), 2);
    assert_eq!(purge(2).await.expect("it is removed"), 1);
    assert_eq!(purge(2).await.expect("none is left"), 0);
    assert!(is_live(store, &live_token).await);
}

/// Asking for what was never saved is an ordinary question.
pub async fn what_is_not_there_is_no_error(store: &impl Store) {
    store.ready().await.expect("the store is ready");
    let nobody = user("nobody", 1);
    let (session, token) = session(&nobody, START, 50);
    let hash = PasswordHash::from_phc("$argon2id$x");
    let (id, now) = (nobody.id, START);
    assert_eq!(store.user_by_id(id).await.expect("the store answers"), None);
    assert_eq!(store.user_by_email(&nobody.email).await.expect("the store answers"), None);
    assert!(store.users(None, 10).await.expect("the store answers").is_empty());
    assert!(!store.replace_password(id, &hash, None, now).await.expect("the store answers"));
    assert!(!store.upgrade_password_hash(id, &hash, &hash).await.expect("the store answers"));
    assert!(!store.set_active(id, false, now).await.expect("the store answers"));
    assert!(!store.delete_user(id).await.expect("the store answers"));
    assert_eq!(store.session_by_token(&token).await.expect("the store answers"), None);
    store.touch_session(session.id, now).await.expect("the store answers");
    assert!(!store.end_session(id, session.id).await.expect("the store answers"));
    assert_eq!(store.end_sessions_of(id, None).await.expect("the store answers"), 0);
}
