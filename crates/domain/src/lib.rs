//! The rules of user authentication, without any input or output.
//!
//! Every type here is either a fact that has been checked ([`EmailAddress`], [`Username`], [`Password`],
//! [`SecretToken`]), a thing that is saved ([`User`], [`Session`]), or a port through which saving happens
//! ([`Store`], and one port for each thing). Time and randomness come in as arguments, so each rule can be
//! tested to the second.
//!
//! # Where to add what
//!
//! - A new rule about input: a parser next to its like, with one small error enum that states facts
//!   (`TooShort { min, got }`), never sentences. The web crate words them.
//! - A new saved thing: a folder with its values and rules in `mod.rs`, a port of at most eight methods in
//!   `store.rs`, the promises of that port in `contract.rs`, an implementation in `memory.rs`, and an
//!   accessor on [`Store`] that answers `None` by default.
//! - Anything that needs a network, a file, a clock or a thread does not belong here.

mod audit;
mod browser;
mod client;
mod clock;
mod error;
mod factor;
mod id;
mod password;
mod record;
mod remembered;
mod session;
mod site;
pub mod store;
mod text;
pub mod throttle;
mod token;
mod user;
mod word;

#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "memory")]
pub mod memory;

pub use audit::ageing::{Aged, Ageing, AgeingRule};
pub use audit::event::{Actor, ActorKind, AuthEvent, AuthEventKind, Reason, Subject};
pub use audit::store::AuditStore;
pub use audit::{AuditEnds, AuditEntry, AuditFilter, AuditRecord, BrokenChain, ChainLink};
pub use browser::KnownBrowser;
pub use browser::store::{BrowserStore, BrowserUse};
pub use client::{Client, network};
pub use clock::{CLOCK_TOLERANCE, Clock, ClockReading, ClockWatch, SystemClock, is_from_future};
pub use error::{Field, StoreError};
pub use factor::PendingLogin;
pub use factor::store::PendingStore;
pub use password::policy::{PasswordContext, PasswordPolicy};
pub use password::{HashCount, Password, PasswordError, PasswordHash};
pub use record::{Mail, Record};
pub use remembered::store::{
    RememberGrant, RememberOutcome, RememberRecords, RememberStep, RememberStore, RememberUse,
    Resumption,
};
pub use remembered::{RememberToken, Remembered, RememberedId};
pub use session::principal::{Principal, Via};
pub use session::proof::{HashDigest, Method, Methods, Proof};
pub use session::store::{Basis, Ended, Keep, SessionGrant, SessionRenewal, SessionStore};
pub use session::{Session, SessionId, SessionLifetimes};
pub use site::SiteSecret;
pub use site::store::SiteStore;
pub use store::Store;
pub use throttle::store::{Counted, ThrottleStore};
pub use throttle::{CounterKey, ThrottlePolicy};
pub use token::{SecretToken, TokenDigest, TokenError};
pub use user::email::{EmailAddress, EmailError};
pub use user::store::{Renaming, UserStore};
pub use user::username::{Username, UsernameError};
pub use user::{User, UserId};
pub use word::{UnknownWord, Word};

/// The random source that ids and tokens are drawn from.
pub use rand_core::CryptoRng;
/// Moments in this crate are UTC in whole microseconds.
pub use time::{Duration, OffsetDateTime};
