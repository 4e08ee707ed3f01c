//! From rows to the domain's values and back.

use std::net::IpAddr;

use countersign_domain::{
    Client, EmailAddress, OffsetDateTime, PasswordHash, Session, SessionId, StoreError,
    TokenDigest, User, UserId, Username,
};
use sea_orm::prelude::TimeDateTime;

use crate::entity::{session, user};
use crate::error::corrupt;

/// A moment as every database keeps it alike: in UTC, without saying so. SQLite compares it as
/// text, in which the order of moments with an offset would be lost.
pub(crate) fn moment(at: OffsetDateTime) -> TimeDateTime {
    let at = at.to_utc();
    TimeDateTime::new(at.date(), at.time())
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
        token_digest: token.as_bytes().to_vec(),
        address: session.client.address.map(|address| address.to_string()),
        user_agent: session.client.user_agent.clone(),
        created_at: moment(session.created_at),
        authenticated_at: moment(session.authenticated_at),
        last_seen_at: moment(session.last_seen_at),
        expires_at: moment(session.expires_at),
    }
}

impl TryFrom<session::Model> for Session {
    type Error = StoreError;

    fn try_from(row: session::Model) -> Result<Self, StoreError> {
        let address = row.address.map(|written| written.parse::<IpAddr>()).transpose();
        Ok(Self {
            id: SessionId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            client: Client {
                address: address.map_err(corrupt("sessions", "address"))?,
                user_agent: row.user_agent,
            },
            created_at: row.created_at.assume_utc(),
            authenticated_at: row.authenticated_at.assume_utc(),
            last_seen_at: row.last_seen_at.assume_utc(),
            expires_at: row.expires_at.assume_utc(),
        })
    }
}
