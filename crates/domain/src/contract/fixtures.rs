//! What the promises are tested with.

use time::{Duration, OffsetDateTime};

use crate::store::Store;
use crate::{
    Actor, AuditEntry, AuthEvent, AuthEventKind, Basis, Client, CryptoRng, EmailAddress, Method,
    PasswordHash, Record, RememberRecords, RememberUse, Resumption, SecretToken, Session,
    SessionGrant, SessionId, SessionRenewal, TokenDigest, User, UserId, Username,
};

pub(crate) const START: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00:00.000_001 UTC);

/// A source of ids and tokens that differ within a test. The contract must build without an operating system.
pub(crate) struct Seed(pub(crate) u8);

impl rand_core::TryRng for Seed {
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

impl rand_core::TryCryptoRng for Seed {}

pub(crate) fn email(typed: &str) -> EmailAddress {
    EmailAddress::parse(typed).expect("the contract's addresses are addresses")
}

/// Returns a user called `name` at example.org, not yet saved.
pub(crate) fn user(name: &str, seed: u8) -> User {
    let id = UserId::generate(START + Duration::seconds(seed.into()), &mut Seed(seed));
    let username = Username::parse(name).expect("the contract's names are usernames");
    let mut user = User::new(id, email(&format!("{name}@example.org")), username, START);
    user.password_hash = Some(PasswordHash::from_phc(format!("$argon2id${name}")));
    user
}

/// Returns a session of `user` that began at `created_at`, and its token; not yet saved.
pub(crate) fn session(user: &User, created_at: OffsetDateTime, seed: u8) -> (Session, TokenDigest) {
    let rng = &mut Seed(seed);
    let id = SessionId::generate(created_at, rng);
    let client = Client::new(Some([203, 0, 113, seed].into()), Some("Contract/1.0"));
    let end = created_at + Duration::hours(12);
    let mut session = Session::new(id, user.id, client, created_at, end);
    session.authenticated_at = Some(created_at);
    session.methods = Method::Password.into();
    (session, token(rng))
}

pub(crate) fn token(rng: &mut impl CryptoRng) -> TokenDigest {
    SecretToken::generate(rng).digest()
}

/// Returns what saves a session that rests on its user alone.
pub(crate) fn grant<'a>(session: &'a Session, token: &'a TokenDigest) -> SessionGrant<'a> {
    SessionGrant { session, token, proof: None, remember: None, max_per_user: 20 }
}

/// Returns what makes a session of `user` fresh again at `at`, in no client and by no new method.
pub(crate) fn renewal<'a>(
    user: &'a User,
    session: &'a Session,
    token: &'a TokenDigest,
    at: OffsetDateTime,
) -> SessionRenewal<'a> {
    SessionRenewal {
        basis: Basis::of(user, session.id),
        token,
        client: &session.client,
        methods: &session.methods,
        authenticated_at: at,
    }
}

/// Saves a session; the test fails if the store refuses it.
pub(crate) async fn insert(store: &impl Store, session: &Session, token: &TokenDigest) {
    let saved = store.sessions().insert_session(grant(session, token), &any_record()).await;
    assert!(saved.expect("the session is saved"));
}

/// Saves a user; the test fails if the store refuses them.
pub(crate) async fn register(store: &impl Store, user: &User) {
    store.users().insert_user(user, &any_record()).await.expect("the user is saved");
}

/// Saves `ada` and a session of hers.
pub(crate) async fn ada_logged_in(store: &impl Store) -> (User, Session, TokenDigest) {
    let ada = user("ada", 1);
    register(store, &ada).await;
    let (session, token) = session(&ada, START, 50);
    insert(store, &session, &token).await;
    (ada, session, token)
}

/// Returns a record of something that happens at `at`.
pub fn record(kind: AuthEventKind, at: OffsetDateTime) -> Record {
    let mut event = AuthEvent::new(kind, Actor::VISITOR, at);
    event.client = Client::new(Some([203, 0, 113, 7].into()), Some("Contract/1.0"));
    event.request_id = Some("contract-1".to_owned());
    Record::new(AuditEntry::new(event, &mut Seed(99)))
}

/// Returns the use of a remembered login, by the series, the secret and the next secret, at `now` by
/// `client`, with ten seconds for requests that were under way together. The session that begins has the
/// next secret for its token, so that no two have the same.
pub fn remember_use<'a>(
    [series, secret, next]: [&'a TokenDigest; 3],
    now: OffsetDateTime,
    client: &'a Client,
) -> RememberUse<'a> {
    let seed = next.as_bytes().iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31) ^ byte) / 2;
    let begins = Resumption {
        id: SessionId::generate(now, &mut Seed(seed)),
        token: next,
        expires_at: now + Duration::hours(12),
        max_per_user: 20,
    };
    let grace_since = now - Duration::seconds(10);
    RememberUse { series, secret, next, now, grace_since, client, is_bound: false, begins }
}

/// Returns records that are all the same, where the test is about something else.
pub fn alike(record: &Record) -> RememberRecords<'_> {
    RememberRecords { resumed: record, stolen: record, moved: record }
}

/// Returns a record where the test is about something else.
pub fn any_record() -> Record {
    record(AuthEventKind::UserLoggedIn, START)
}

pub(crate) async fn is_live(store: &impl Store, token: &TokenDigest) -> bool {
    store.sessions().session_by_token(token).await.expect("the store answers").is_some()
}
