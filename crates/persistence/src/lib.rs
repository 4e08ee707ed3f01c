//! What Countersign saves, in an SQL database: users, sessions, remembered logins, the counters of
//! the throttle and the audit trail.
//!
//! A [`Database`] is a store of `countersign-domain`: connect it, bring its schema up to date with
//! `countersign-migration` through [`Database::connection`], and hand it to the service. Nothing
//! else of this crate is public; what a row, a column or a transaction is stays behind this door.
//!
//! # Adding a saved thing
//!
//! Its table in a migration, an entity in `entity` that says the same, its way in and out in
//! `row`, and a file like `session` that implements its port. Named in the list of `entity`, it
//! moves house with the others. `plan` shows that its queries use their indexes; the contract suite of `countersign-domain` shows that it keeps its promises.

mod audit;
#[cfg(feature = "bulk")]
mod bulk;
mod call;
mod clock;
mod connect;
mod database;
mod entity;
mod error;
mod export;
#[cfg(feature = "postgres")]
mod growth;
mod metrics;
mod remembered;
mod row;
mod session;
mod throttle;
mod user;

#[cfg(test)]
mod plan;
#[cfg(test)]
mod schema;
#[cfg(test)]
#[path = "../tests/support/server.rs"]
mod server;

pub use connect::ConnectError;
pub use database::Database;
pub use export::{ComparedTable, Contents, ExportError, ExportProgress, ExportStep};
