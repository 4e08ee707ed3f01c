use countersign_domain::{
    Actor, AuditRecord, AuthEvent, ChainLink, Reason, Record, SessionId, StoreError, Subject,
    UserId,
};

use super::entity::{event, queue};
use super::id::next_id;
use crate::error::corrupt;
use crate::row::{address, array, client, moment, number};

/// Reads a place in the audit trail.
pub(crate) fn link(table: &'static str, number: i64, hash: &[u8]) -> Result<ChainLink, StoreError> {
    let number = u64::try_from(number).map_err(corrupt(table, "number"))?;
    Ok(ChainLink { number, hash: array(table, "hash", hash)? })
}

/// Returns what a record says, as it waits for its place.
pub(crate) fn queue_row(record: &Record) -> queue::Model {
    let (entry, event) = (&record.audit, &record.audit.event);
    let digest = entry.digest();
    queue::Model {
        // No two records have one digest: it covers the salt.
        id: next_id(&digest),
        at: moment(event.at),
        kind: event.kind.as_str().to_owned(),
        reason: event.reason.map(|reason| reason.as_str().to_owned()),
        actor: event.actor.kind.as_str().to_owned(),
        actor_id: event.actor.user.map(|id| id.as_uuid()),
        user_id: event.user.map(|id| id.as_uuid()),
        session_id: event.session.map(|id| id.as_uuid()),
        subject: event.subject.as_ref().map(ToString::to_string),
        address: address(&event.client),
        user_agent: event.client.user_agent.clone(),
        request_id: event.request_id.clone(),
        salt: Some(entry.salt.to_vec()),
        client_digest: entry.client_digest().to_vec(),
        digest: digest.to_vec(),
    }
}

/// Returns a row at its place.
pub(crate) fn placed_row(row: &queue::Model, link: ChainLink) -> event::Model {
    let row = row.clone();
    event::Model {
        number: number(link.number),
        id: row.id,
        at: row.at,
        kind: row.kind,
        reason: row.reason,
        actor: row.actor,
        actor_id: row.actor_id,
        user_id: row.user_id,
        session_id: row.session_id,
        subject: row.subject,
        address: row.address,
        user_agent: row.user_agent,
        request_id: row.request_id,
        salt: row.salt,
        client_digest: row.client_digest,
        hash: link.hash.to_vec(),
    }
}

impl TryFrom<event::Model> for AuditRecord {
    type Error = StoreError;

    fn try_from(row: event::Model) -> Result<Self, StoreError> {
        const TABLE: &str = "audit_events";
        let reason = row.reason.map(|reason| reason.parse::<Reason>()).transpose();
        let salt = row.salt.as_deref().map(|salt| array(TABLE, "salt", salt)).transpose()?;
        let subject = |saved| Subject::from_saved(saved).ok_or("it is no subject");
        let subject = row.subject.map(subject).transpose();
        let actor = Actor {
            kind: row.actor.parse().map_err(corrupt(TABLE, "actor"))?,
            user: row.actor_id.map(UserId::from_uuid),
        };
        let kind = row.kind.parse().map_err(corrupt(TABLE, "kind"))?;
        let mut event = AuthEvent::new(kind, actor, row.at.assume_utc());
        event.reason = reason.map_err(corrupt(TABLE, "reason"))?;
        event.user = row.user_id.map(UserId::from_uuid);
        event.session = row.session_id.map(SessionId::from_uuid);
        event.subject = subject.map_err(corrupt(TABLE, "subject"))?;
        event.client = client(TABLE, row.address, row.user_agent)?;
        event.request_id = row.request_id;
        let client_digest = array(TABLE, "client_digest", &row.client_digest)?;
        Ok(Self { link: link(TABLE, row.number, &row.hash)?, event, client_digest, salt })
    }
}
