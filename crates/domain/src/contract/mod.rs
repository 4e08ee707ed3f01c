//! What every store must do, as tests.
//!
//! In a test module of the crate that has the store, with tokio among its dev-dependencies:
//!
//! ```
//! # use countersign_domain::memory::MemoryStore;
//! countersign_domain::store_contract!(async || MemoryStore::default());
//! ```
//!
//! The argument is an async closure that makes an empty store for each test. After `optional:` it makes
//! an `Option` of one, for a store that cannot be had everywhere, and says by itself what is skipped.
#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says that a promise is broken by panicking"
)]

mod audit;
mod remembered;
mod sessions;
mod throttle;
mod users;

use time::{Duration, OffsetDateTime};

use crate::store::{RememberOutcome, RememberUse, SessionGrant, SessionRenewal, Store};
use crate::{
    Actor, AuditEntry, AuthEvent, AuthEventKind, Client, CryptoRng, EmailAddress, PasswordHash,
    RememberedId, SecretToken, Session, SessionId, TokenDigest, User, UserId, Username,
};

pub use audit::*;
pub use remembered::*;
pub use sessions::*;
pub use throttle::*;
pub use users::*;

/// Makes a test of each promise that a store gives; see the [module](crate::contract).
#[macro_export]
macro_rules! store_contract {
    ($make_store:expr) => {
        $crate::store_contract!(optional: async || Some(($make_store)().await));
    };
    (optional: $make_store:expr) => {
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
            a_renewed_session_has_a_new_token_and_the_old_one_opens_nothing,
            a_session_is_ended_by_its_owner_alone,
            all_other_sessions_end_at_once,
            only_dead_sessions_are_purged_and_only_so_many,
            a_remembered_login_begins_with_a_session_or_not_at_all,
            a_session_is_refused_when_its_remembered_login_has_ended,
            a_used_secret_is_replaced,
            a_secret_that_was_replaced_a_moment_ago_is_a_parallel_request,
            a_secret_that_was_replaced_before_is_a_theft_and_ends_everything,
            one_of_many_who_use_a_secret_at_once_replaces_it,
            an_expired_or_disabled_login_is_not_remembered,
            a_remembered_login_ends_with_any_of_its_sessions,
            a_new_password_ends_all_remembered_logins,
            ending_the_other_sessions_keeps_the_login_of_the_one_kept,
            remembered_logins_are_listed_and_ended_by_their_owner_alone,
            only_expired_logins_are_purged_and_only_so_many,
            a_counter_lets_in_so_many_tries_and_the_next_one_later,
            a_try_is_counted_by_all_counters_or_by_none,
            of_many_tries_at_once_no_more_are_let_in_than_may,
            tries_are_taken_back_and_cleared,
            a_try_that_is_taken_back_begins_no_delay_anew,
            a_counter_with_a_growing_delay_is_kept,
            only_forgotten_counters_are_purged_and_only_so_many,
            browsers_are_known_and_forgotten,
            only_expired_browsers_are_purged_and_only_so_many,
            a_record_reads_back_as_written,
            what_is_done_is_recorded_with_it,
            what_is_not_done_is_not_recorded,
            the_chain_is_whole_however_many_write_at_once,
            records_are_found_by_what_is_asked_for,
            an_old_trail_loses_addresses_and_then_records,
            a_record_from_the_future_ages_with_its_neighbours,
            what_is_not_there_is_no_error,
        );
    };
    (@tests $make_store:expr; $($name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                if let Some(store) = ($make_store)().await {
                    $crate::contract::$name(&store).await;
                }
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
        remembered: None,
        created_at,
        authenticated_at: Some(created_at),
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
    let grant = SessionGrant {
        session,
        token,
        proof: None,
        remember: None,
        max_per_user: 20,
        entry: &any_entry(),
    };
    assert!(store.insert_session(grant).await.expect("the session is saved"));
}

/// Saves `ada` and a session of hers.
async fn ada_logged_in(store: &impl Store) -> (User, Session, TokenDigest) {
    let ada = user("ada", 1);
    store.insert_user(&ada, &any_entry()).await.expect("ada is saved");
    let (session, token) = session(&ada, START, 50);
    insert(store, &session, &token).await;
    (ada, session, token)
}

/// What a store is to write down of something that happens at `at`.
pub fn entry(kind: AuthEventKind, at: OffsetDateTime) -> AuditEntry {
    let client = Client::new(Some([203, 0, 113, 7].into()), Some("Contract/1.0"));
    let (actor, request_id) = (Actor::Visitor, Some("contract-1".to_owned()));
    let event =
        AuthEvent { kind, reason: None, actor, user: None, session: None, client, request_id, at };
    AuditEntry::new(event, &mut Counter(99))
}

/// The same, where the test is about something else.
pub fn any_entry() -> AuditEntry {
    entry(AuthEventKind::UserLoggedIn, START)
}

async fn is_live(store: &impl Store, token: &TokenDigest) -> bool {
    store.session_by_token(token).await.expect("the store answers").is_some()
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
    assert!(
        !store.replace_password(id, &hash, None, &any_entry()).await.expect("the store answers")
    );
    assert!(!store.upgrade_password_hash(id, &hash, &hash).await.expect("the store answers"));
    assert!(!store.set_active(id, false, &any_entry()).await.expect("the store answers"));
    assert!(!store.delete_user(id, &any_entry()).await.expect("the store answers"));
    assert_eq!(store.session_by_token(&token).await.expect("the store answers"), None);
    store.touch_sessions(&[(session.id, now)]).await.expect("the store answers");
    store.touch_sessions(&[]).await.expect("the store answers");
    let client = Client::default();
    let renewal = SessionRenewal {
        id: session.id,
        token: &token,
        client: &client,
        authenticated_at: now,
        entry: Some(&any_entry()),
    };
    assert!(!store.renew_session(renewal).await.expect("the store answers"));
    assert!(store.remembered_of(id).await.expect("the store answers").is_empty());
    let used = RememberUse {
        series: &token,
        secret: &token,
        next: &token,
        now,
        grace_since: now,
        stolen: &any_entry(),
    };
    let outcome = store.use_remembered(used).await.expect("the store answers");
    assert_eq!(outcome, RememberOutcome::Unknown);
    let remembered = RememberedId::generate(now, &mut Counter(90));
    assert!(!store.end_remembered(id, remembered, &any_entry()).await.expect("the store answers"));
    let ended = store.end_series(&token, &any_entry()).await;
    assert_eq!(ended.expect("the store answers"), None);
    assert_eq!(store.purge_remembered(now, 10).await.expect("the store answers"), 0);
    assert!(!store.end_session(id, session.id, &any_entry()).await.expect("the store answers"));
    assert_eq!(store.end_sessions_of(id, None, &any_entry()).await.expect("the store answers"), 0);
}
