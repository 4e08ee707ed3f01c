//! The audit trail: what is written down, and how a change of it shows.

pub(crate) mod ageing;
pub(crate) mod event;
pub(crate) mod store;

#[cfg(feature = "contract")]
pub(crate) mod contract;
#[cfg(feature = "memory")]
mod memory;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::client::network;
use crate::{AuthEvent, AuthEventKind, CryptoRng, Subject, UserId};

/// An event that is about to be written down.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// The event.
    pub event: AuthEvent,
    /// Keeps the client's address from being guessed from its digest after it is cut.
    pub salt: [u8; 16],
}

/// A place in the trail, and the digest of everything up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainLink {
    /// The number of the record; numbers have no gaps. 0 is before the first.
    pub number: u64,
    /// SHA-256 of the place before it, of its number, and of the digest of the record.
    pub hash: [u8; 32],
}

/// An event that is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its place in the trail.
    pub link: ChainLink,
    /// The event. Its client's address is cut to the network when the record is old.
    pub event: AuthEvent,
    /// SHA-256 of the client's address as it was, and of the salt.
    pub client_digest: [u8; 32],
    /// The salt; gone once the address is cut.
    pub salt: Option<[u8; 16]>,
}

/// Which records are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Those about this user.
    pub user: Option<UserId>,
    /// Those of this kind.
    pub kind: Option<AuthEventKind>,
    /// Those from this moment on.
    pub since: Option<OffsetDateTime>,
    /// Those before the record of this number.
    pub before: Option<u64>,
}

/// Where a trail begins and ends, as it is noted apart from its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditEnds {
    /// The last record that was removed because it was old.
    pub removed: ChainLink,
    /// The last record.
    pub last: ChainLink,
}

/// How a trail is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// Records are missing.
    #[error("record {expected} is missing: the next one there is {found}")]
    Missing {
        /// The number that was to come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A record, or one before it, was changed.
    #[error("record {0} is not what was written")]
    Altered(u64),
    /// The trail ends before or after the place that was noted as its end.
    #[error("the trail should end with record {expected}, and ends with {found}")]
    WrongEnd {
        /// The number of the record that was noted.
        expected: u64,
        /// The number of the record that is there.
        found: u64,
    },
    /// The beginning of the trail is gone, and no record says that it was old.
    #[error("the records up to {0} are gone, and no record says that the service removed them")]
    Beheaded(u64),
    /// A record says that others were removed or shortened which were not old enough.
    #[error("record {0} says that records were removed or shortened before their time")]
    AgedEarly(u64),
    /// An address was shortened, and no record says that it was old.
    #[error("the address of record {0} is shortened, and no record says that it was old enough")]
    ShortenedEarly(u64),
}

impl AuditEntry {
    /// Returns an entry about `event`.
    pub fn new(mut event: AuthEvent, rng: &mut impl CryptoRng) -> Self {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        event.at = in_microseconds(event.at);
        Self { event, salt }
    }

    /// Returns the same entry about this user.
    #[must_use]
    pub fn about(&self, user: UserId) -> Self {
        let mut entry = self.clone();
        entry.event.user = Some(user);
        entry
    }

    /// Returns the same entry about this subject.
    #[must_use]
    pub fn on(&self, subject: Subject) -> Self {
        let mut entry = self.clone();
        entry.event.subject = Some(subject);
        entry
    }

    /// Returns SHA-256 of the client's address and of the salt.
    pub fn client_digest(&self) -> [u8; 32] {
        client_digest(&self.event, self.salt)
    }

    /// Returns SHA-256 of all that is written down, except its place in the trail.
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.event, self.client_digest())
    }

    /// Returns the record that this becomes behind `last`.
    pub fn record_after(&self, last: ChainLink) -> AuditRecord {
        let (link, client_digest) = (last.followed_by(&self.digest()), self.client_digest());
        let (event, salt) = (self.event.clone(), Some(self.salt));
        AuditRecord { link, event, client_digest, salt }
    }
}

impl ChainLink {
    /// Returns the place behind this one of a record with this [digest](AuditEntry::digest).
    #[must_use]
    pub fn followed_by(self, digest: &[u8]) -> Self {
        let number = self.number + 1;
        let mut hasher = Sha256::new_with_prefix(b"countersign audit link 3");
        hasher.update(self.hash);
        hasher.update(number.to_be_bytes());
        hasher.update(digest);
        Self { number, hash: hasher.finalize().into() }
    }

    /// Reads a hash as it is written: 64 hexadecimal digits.
    pub fn parse_hash(written: &str) -> Option<[u8; 32]> {
        // `from_str_radix` accepts a sign, which a digest does not have.
        let is_hex = written.len() == 64 && written.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = |at: usize| u8::from_str_radix(written.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(digits).collect();
        bytes.filter(|_| is_hex)?.try_into().ok()
    }
}

impl AuditFilter {
    /// Returns whether this record is asked for.
    pub fn takes(&self, record: &AuditRecord) -> bool {
        let event = &record.event;
        self.user.is_none_or(|user| event.user == Some(user))
            && self.kind.is_none_or(|kind| event.kind == kind)
            && self.since.is_none_or(|since| since <= event.at)
            && self.before.is_none_or(|before| record.link.number < before)
    }
}

impl AuditRecord {
    /// Cuts the client's address to its network. The whole address cannot be found out afterwards.
    pub fn cut(&mut self) {
        self.salt = None;
        self.event.client.address = self.event.client.address.map(network);
    }

    /// Checks that this is what was written behind `previous`.
    ///
    /// # Errors
    ///
    /// Returns how it differs.
    pub fn check(&self, previous: ChainLink) -> Result<(), BrokenChain> {
        let (expected, found) = (previous.number + 1, self.link.number);
        if found != expected {
            return Err(BrokenChain::Missing { expected, found });
        }
        let is_its_client = match self.salt {
            Some(salt) => client_digest(&self.event, salt) == self.client_digest,
            None => self.event.client.address == self.event.client.address.map(network),
        };
        let link = previous.followed_by(&digest(&self.event, self.client_digest));
        if is_its_client && link == self.link { Ok(()) } else { Err(BrokenChain::Altered(found)) }
    }
}

/// Databases keep whole microseconds.
fn in_microseconds(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.microsecond() * 1_000).unwrap_or(at)
}

/// Hashes the network of the client's address, which stays when the address is cut; `client` covers the whole
/// address.
fn digest(event: &AuthEvent, client: [u8; 32]) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(b"countersign audit record 3");
    hasher.update(event.at.unix_timestamp_nanos().to_be_bytes());
    hasher.update(client);
    let actor = event.actor.user.map(|id| id.to_string());
    let user = event.user.map(|id| id.to_string());
    let session = event.session.map(|id| id.to_string());
    add(&mut hasher, Some(event.kind.as_str()));
    add(&mut hasher, event.reason.as_ref().map(crate::Reason::as_str));
    add(&mut hasher, Some(event.actor.kind.as_str()));
    add(&mut hasher, actor.as_deref());
    add(&mut hasher, user.as_deref());
    add(&mut hasher, session.as_deref());
    add(&mut hasher, event.subject.as_ref().map(Subject::as_str));
    add(&mut hasher, event.request_id.as_deref());
    let network = event.client.address.map(|address| network(address).to_string());
    add(&mut hasher, network.as_deref());
    add(&mut hasher, event.client.user_agent.as_deref());
    hasher.finalize().into()
}

fn client_digest(event: &AuthEvent, salt: [u8; 16]) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(b"countersign audit client 1");
    hasher.update(salt);
    let address = event.client.address.map(|address| address.to_string());
    add(&mut hasher, address.as_deref());
    hasher.finalize().into()
}

/// Adds a text with its length before it, so that no two lists of texts are hashed alike.
fn add(hasher: &mut Sha256, text: Option<&str>) {
    let Some(text) = text else { return hasher.update(u64::MAX.to_be_bytes()) };
    hasher.update((text.len() as u64).to_be_bytes());
    hasher.update(text);
}
