//! From rows to the domain's values and back.

use std::net::IpAddr;

use countersign_domain::store::RememberGrant;
use countersign_domain::{
    AuditRecord, AuthEvent, ChainLink, Client, EmailAddress, OffsetDateTime, PasswordHash, Reason,
    Remembered, RememberedId, Session, SessionId, StoreError, TokenDigest, User, UserId, Username,
};
use sea_orm::prelude::TimeDateTime;

use crate::entity::audit::event;
use crate::entity::{remembered, session, user};
use crate::error::corrupt;

/// A moment as every database keeps it alike: in UTC, without saying so. SQLite compares it as
/// text, in which the order of moments with an offset would be lost.
pub(crate) fn moment(at: OffsetDateTime) -> TimeDateTime {
    let at = at.to_utc();
    TimeDateTime::new(at.date(), at.time())
}

/// What a token is recognised by, as a column keeps it.
pub(crate) fn bytes(digest: &TokenDigest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}

/// The address of a client, as a column keeps it.
pub(crate) fn address(client: &Client) -> Option<String> {
    client.address.map(|address| address.to_string())
}

fn client(
    table: &'static str,
    address: Option<String>,
    user_agent: Option<String>,
) -> Result<Client, StoreError> {
    let address = address.map(|written| written.parse::<IpAddr>()).transpose();
    Ok(Client { address: address.map_err(corrupt(table, "address"))?, user_agent })
}

impl From<&User> for user::Model {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.as_uuid(),
            email: user.email.as_str().to_owned(),
            email_canonical: user.email.canonical().to_owned(),
            username: user.username.as_str().to_owned(),
            password_hash: user.password_hash.as_ref().map(|hash| hash.as_phc().to_owned()),
            is_active: user.is_active,
            created_at: moment(user.created_at),
            updated_at: moment(user.updated_at),
        }
    }
}

impl TryFrom<user::Model> for User {
    type Error = StoreError;

    fn try_from(row: user::Model) -> Result<Self, StoreError> {
        let email = EmailAddress::from_saved(row.email, row.email_canonical);
        Ok(Self {
            id: UserId::from_uuid(row.id),
            email: email.map_err(corrupt("users", "email"))?,
            username: Username::from_saved(row.username).map_err(corrupt("users", "username"))?,
            password_hash: row.password_hash.map(PasswordHash::from_phc),
            is_active: row.is_active,
            created_at: row.created_at.assume_utc(),
            updated_at: row.updated_at.assume_utc(),
        })
    }
}

pub(crate) fn session_row(session: &Session, token: &TokenDigest) -> session::Model {
    session::Model {
        id: session.id.as_uuid(),
        user_id: session.user_id.as_uuid(),
        remembered_id: session.remembered.as_ref().map(RememberedId::as_uuid),
        token_digest: bytes(token),
        address: address(&session.client),
        user_agent: session.client.user_agent.clone(),
        created_at: moment(session.created_at),
        authenticated_at: session.authenticated_at.map(moment),
        last_seen_at: moment(session.last_seen_at),
        expires_at: moment(session.expires_at),
    }
}

impl TryFrom<session::Model> for Session {
    type Error = StoreError;

    fn try_from(row: session::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: SessionId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            client: client("sessions", row.address, row.user_agent)?,
            remembered: row.remembered_id.map(RememberedId::from_uuid),
            created_at: row.created_at.assume_utc(),
            authenticated_at: row.authenticated_at.map(TimeDateTime::assume_utc),
            last_seen_at: row.last_seen_at.assume_utc(),
            expires_at: row.expires_at.assume_utc(),
        })
    }
}

pub(crate) fn remembered_row(grant: RememberGrant<'_>) -> remembered::Model {
    let remembered = grant.remembered;
    remembered::Model {
        id: remembered.id.as_uuid(),
        user_id: remembered.user_id.as_uuid(),
        series_digest: bytes(grant.series),
        secret_digest: bytes(grant.secret),
        previous_digest: None,
        address: address(&remembered.client),
        user_agent: remembered.client.user_agent.clone(),
        created_at: moment(remembered.created_at),
        used_at: moment(remembered.used_at),
        expires_at: moment(remembered.expires_at),
    }
}

impl TryFrom<remembered::Model> for Remembered {
    type Error = StoreError;

    fn try_from(row: remembered::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: RememberedId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            client: client("remembered_logins", row.address, row.user_agent)?,
            created_at: row.created_at.assume_utc(),
            used_at: row.used_at.assume_utc(),
            expires_at: row.expires_at.assume_utc(),
        })
    }
}

/// A remembered login with the secrets that it may be presented with.
pub(crate) struct Series {
    pub(crate) remembered: Remembered,
    pub(crate) secret: TokenDigest,
    pub(crate) previous: Option<TokenDigest>,
}

impl TryFrom<remembered::Model> for Series {
    type Error = StoreError;

    fn try_from(row: remembered::Model) -> Result<Self, StoreError> {
        let digest = |column, bytes: &[u8]| {
            let digest = TokenDigest::from_bytes(bytes).ok_or("it is not 32 bytes long");
            digest.map_err(corrupt("remembered_logins", column))
        };
        let previous = row.previous_digest.as_deref();
        Ok(Self {
            secret: digest("secret_digest", &row.secret_digest)?,
            previous: previous.map(|bytes| digest("previous_digest", bytes)).transpose()?,
            remembered: row.try_into()?,
        })
    }
}

/// A number as every database counts.
pub(crate) fn number(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

/// A place in the audit trail.
pub(crate) fn link(table: &'static str, number: i64, hash: &[u8]) -> Result<ChainLink, StoreError> {
    let number = u64::try_from(number).map_err(corrupt(table, "number"))?;
    Ok(ChainLink { number, hash: array(table, "hash", hash)? })
}

fn array<const N: usize>(
    table: &'static str,
    column: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(corrupt(table, column))
}

pub(crate) fn record_row(record: &AuditRecord) -> event::Model {
    let event = &record.event;
    event::Model {
        number: number(record.link.number),
        at: moment(event.at),
        kind: event.kind.as_str().to_owned(),
        reason: event.reason.map(|reason| reason.as_str().to_owned()),
        actor: event.actor.as_str().to_owned(),
        user_id: event.user.map(|id| id.as_uuid()),
        session_id: event.session.map(|id| id.as_uuid()),
        address: address(&event.client),
        user_agent: event.client.user_agent.clone(),
        request_id: event.request_id.clone(),
        salt: record.salt.map(|salt| salt.to_vec()),
        client_digest: record.client_digest.to_vec(),
        hash: record.link.hash.to_vec(),
    }
}

impl TryFrom<event::Model> for AuditRecord {
    type Error = StoreError;

    fn try_from(row: event::Model) -> Result<Self, StoreError> {
        const TABLE: &str = "audit_events";
        let reason = row.reason.map(|reason| reason.parse::<Reason>()).transpose();
        let salt = row.salt.as_deref().map(|salt| array(TABLE, "salt", salt)).transpose()?;
        Ok(Self {
            link: link(TABLE, row.number, &row.hash)?,
            event: AuthEvent {
                kind: row.kind.parse().map_err(corrupt(TABLE, "kind"))?,
                reason: reason.map_err(corrupt(TABLE, "reason"))?,
                actor: row.actor.parse().map_err(corrupt(TABLE, "actor"))?,
                user: row.user_id.map(UserId::from_uuid),
                session: row.session_id.map(SessionId::from_uuid),
                client: client(TABLE, row.address, row.user_agent)?,
                request_id: row.request_id,
                at: row.at.assume_utc(),
            },
            client_digest: array(TABLE, "client_digest", &row.client_digest)?,
            salt,
        })
    }
}
