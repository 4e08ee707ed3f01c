//! The rules of user authentication, without any input or output.
//!
//! Every type here is either a fact that has been checked ([`EmailAddress`], [`Username`],
//! [`Password`], [`SecretToken`]), a thing that is saved ([`User`], [`Session`]), or a port through
//! which saving happens ([`UserStore`], [`SessionStore`] and the others in [`store`]). Time and
//! randomness come in as arguments, so each rule can be tested to the second.
//!
//! # Where to add what
//!
//! - A new rule about input: a parser next to its like, with one small error enum that states facts
//!   (`TooShort { min, got }`), never sentences. The web crate words them.
//! - A new saved thing: a struct, a port of at most eight methods in [`store`], its tests in the
//!   contract suite (feature `contract`), and then an implementation in the persistence crate.
//! - Anything that needs a network, a file, a clock or a thread does not belong here.

mod audit;
mod clock;
mod common_passwords;
mod email;
mod event;
mod password;
mod session;
pub mod store;
mod text;
pub mod throttle;
mod token;
mod user;
mod username;

#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "memory")]
pub mod memory;

pub use audit::{AuditEnds, AuditEntry, AuditFilter, AuditRecord, BrokenChain, ChainLink};
pub use clock::{Clock, SystemClock};
pub use email::{EmailAddress, EmailError};
pub use event::{Actor, AuthEvent, AuthEventKind, Reason, UnknownWord};
pub use password::{Password, PasswordContext, PasswordError, PasswordHash, PasswordPolicy};
pub use session::{Client, Remembered, RememberedId, Session, SessionId, SessionLifetimes};
pub use store::{
    AuditStore, RememberStore, SessionStore, Store, StoreError, ThrottleStore, UserStore,
};
pub use throttle::ThrottlePolicy;
pub use token::{RememberToken, SecretToken, TokenDigest, TokenError};
pub use user::{User, UserId};
pub use username::{Username, UsernameError};

/// The random source that ids and tokens are drawn from.
pub use rand_core::CryptoRng;
/// Moments in this crate are UTC in whole microseconds.
pub use time::{Duration, OffsetDateTime};
