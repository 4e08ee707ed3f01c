//! Conversions from rows to values and back.

use std::error::Error;

use countersign_web::domain::{
    Client, EmailAddress, OffsetDateTime, PasswordHash, RememberGrant, Remembered, RememberedId,
    Session, SessionId, StoreError, TokenDigest, User, UserId, Username,
};
use sea_orm::DbErr;
use sea_orm::prelude::TimeDateTime;

use crate::entity::{member, memory, visit};

pub(crate) fn unavailable(error: DbErr) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

fn corrupt<E>(table: &'static str, column: &'static str) -> impl Fn(E) -> StoreError
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    move |source| StoreError::Corrupt { table, column, source: source.into() }
}

/// Converts a moment to UTC without an offset, since SQLite compares moments as text.
pub(crate) fn moment(at: OffsetDateTime) -> TimeDateTime {
    let at = at.to_utc();
    TimeDateTime::new(at.date(), at.time())
}

pub(crate) fn bytes(digest: &TokenDigest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}

pub(crate) fn address(client: &Client) -> Option<String> {
    client.address.map(|address| address.to_string())
}

fn client(address: Option<String>, user_agent: Option<String>) -> Client {
    Client { address: address.and_then(|address| address.parse().ok()), user_agent }
}

impl From<&User> for member::ActiveModel {
    fn from(user: &User) -> Self {
        use sea_orm::ActiveValue::{NotSet, Set};
        Self {
            number: NotSet,
            uid: Set(user.id.as_uuid()),
            mail: Set(user.email.as_str().to_owned()),
            mail_key: Set(user.email.canonical().to_owned()),
            nickname: Set(user.username.as_str().to_owned()),
            secret: Set(user.password_hash.as_ref().map(|hash| hash.as_phc().to_owned())),
            is_welcome: Set(user.is_active),
            joined_at: Set(moment(user.created_at)),
            changed_at: Set(moment(user.updated_at)),
        }
    }
}

impl TryFrom<member::Model> for User {
    type Error = StoreError;

    fn try_from(row: member::Model) -> Result<Self, StoreError> {
        let email = EmailAddress::from_saved(row.mail, row.mail_key);
        let username = Username::from_saved(row.nickname);
        let mut user = Self::new(
            UserId::from_uuid(row.uid),
            email.map_err(corrupt("members", "mail"))?,
            username.map_err(corrupt("members", "nickname"))?,
            row.joined_at.assume_utc(),
        );
        user.password_hash = row.secret.map(PasswordHash::from_phc);
        user.is_active = row.is_welcome;
        user.updated_at = row.changed_at.assume_utc();
        Ok(user)
    }
}

pub(crate) fn visit(session: &Session, token: &TokenDigest) -> visit::Model {
    visit::Model {
        id: session.id.as_uuid(),
        member: session.user_id.as_uuid(),
        memory: session.remembered.map(|id| id.as_uuid()),
        token: bytes(token),
        address: address(&session.client),
        browser: session.client.user_agent.clone(),
        methods: session.methods.to_string(),
        began_at: moment(session.created_at),
        proven_at: session.authenticated_at.map(moment),
        seen_at: moment(session.last_seen_at),
        ends_at: moment(session.expires_at),
    }
}

impl TryFrom<visit::Model> for Session {
    type Error = StoreError;

    fn try_from(row: visit::Model) -> Result<Self, StoreError> {
        let mut session = Self::new(
            SessionId::from_uuid(row.id),
            UserId::from_uuid(row.member),
            client(row.address, row.browser),
            row.began_at.assume_utc(),
            row.ends_at.assume_utc(),
        );
        session.remembered = row.memory.map(RememberedId::from_uuid);
        session.authenticated_at = row.proven_at.map(TimeDateTime::assume_utc);
        session.methods = row.methods.parse().map_err(corrupt("visits", "methods"))?;
        session.last_seen_at = row.seen_at.assume_utc();
        Ok(session)
    }
}

pub(crate) fn memory(grant: RememberGrant<'_>) -> memory::Model {
    let remembered = grant.remembered;
    memory::Model {
        id: remembered.id.as_uuid(),
        member: remembered.user_id.as_uuid(),
        series: bytes(grant.series),
        secret: bytes(grant.secret),
        earlier: None,
        address: address(&remembered.client),
        browser: remembered.client.user_agent.clone(),
        began_at: moment(remembered.created_at),
        used_at: moment(remembered.used_at),
        ends_at: moment(remembered.expires_at),
    }
}

impl From<memory::Model> for Remembered {
    fn from(row: memory::Model) -> Self {
        let mut remembered = Self::new(
            RememberedId::from_uuid(row.id),
            UserId::from_uuid(row.member),
            client(row.address, row.browser),
            row.began_at.assume_utc(),
            row.ends_at.assume_utc(),
        );
        remembered.used_at = row.used_at.assume_utc();
        remembered
    }
}
