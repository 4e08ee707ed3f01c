//! A database file, and users and sessions to keep in it.

use std::path::PathBuf;
use std::sync::Arc;

use countersign_domain::{
    Client, EmailAddress, OffsetDateTime, PasswordHash, SecretToken, Session, SessionId,
    TokenDigest, User, UserId, Username,
};
use countersign_persistence::SqlStore;
use tempfile::TempDir;
use time::Duration;

pub(crate) const START: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00 UTC);

/// The path of a database file that is gone with its last clone.
#[derive(Clone)]
pub(crate) struct File(Arc<TempDir>);

impl File {
    pub(crate) fn new() -> Self {
        Self(Arc::new(TempDir::new().unwrap()))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("test.db")
    }

    pub(crate) async fn open(&self) -> SqlStore {
        SqlStore::connect(&format!("sqlite://{}?mode=rwc", self.path().display())).await.unwrap()
    }

    pub(crate) async fn migrated(&self) -> SqlStore {
        let database = self.open().await;
        countersign_migration::up(database.connection()).await.unwrap();
        database
    }
}

pub(crate) fn rng() -> impl countersign_domain::CryptoRng {
    rand_core::UnwrapErr(getrandom::SysRng)
}

pub(crate) fn hash(text: &str) -> PasswordHash {
    PasswordHash::from_phc(format!("$argon2id${text}"))
}

pub(crate) fn user(name: &str) -> User {
    let email = EmailAddress::parse(&format!("{name}@example.org")).unwrap();
    let id = UserId::generate(START, &mut rng());
    let mut user = User::new(id, email, Username::parse(name).unwrap(), START);
    user.password_hash = Some(hash(name));
    user
}

pub(crate) fn session(user: &User, created_at: OffsetDateTime) -> (Session, TokenDigest) {
    let id = SessionId::generate(created_at, &mut rng());
    let client = Client::new(Some([203, 0, 113, 1].into()), Some("Test/1.0"));
    let end = created_at + Duration::HOUR;
    let mut session = Session::new(id, user.id, client, created_at, end);
    session.authenticated_at = Some(created_at);
    (session, token())
}

pub(crate) fn token() -> TokenDigest {
    SecretToken::generate(&mut rng()).digest()
}
