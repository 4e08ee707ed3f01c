//! What Countersign saves, in an SQL database.
//!
//! An [`SqlStore`] is a store of `countersign-domain`: connect it, bring its schema up to date with
//! `countersign-migration` through [`SqlStore::connection`], and give it to the service. Nothing else of
//! this crate is public; rows, columns and transactions stay behind this door.
//!
//! # Adding a saved thing
//!
//! Create its table in a migration, and add a folder here: `entity.rs` describes the table, `mod.rs` holds
//! the queries, the way in and out of a row, and the implementation of its port. Name its entity in
//! `tables`, and its accessor in `store`. From then on it moves house with the others. `plan` shows that
//! its queries use their indexes; the contract suite of `countersign-domain` shows that it keeps its
//! promises.

mod audit;
mod browser;
#[cfg(feature = "bulk")]
mod bulk;
mod call;
mod clock;
mod connect;
mod database;
mod ending;
mod error;
mod export;
#[cfg(feature = "postgres")]
mod growth;
mod limits;
mod metrics;
mod pending;
mod query;
mod remembered;
mod row;
mod session;
mod site;
mod store;
mod tables;
mod throttle;
mod user;

#[cfg(test)]
mod plan;
#[cfg(test)]
mod schema;
#[cfg(test)]
#[expect(dead_code, reason = "each test uses a part")]
#[path = "../tests/support/server.rs"]
mod server;

pub use connect::options::ConnectError;
pub use database::SqlStore;
pub use export::{ComparedTable, Contents, ExportError, ExportProgress, ExportStep};
