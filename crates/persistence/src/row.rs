//! What the conversions between rows and the domain's values share.

use std::net::IpAddr;

use countersign_domain::{Client, OffsetDateTime, StoreError, TokenDigest};
use sea_orm::prelude::TimeDateTime;

use crate::error::corrupt;

/// Returns a moment in the form that is the same on every database: in UTC, without an offset. SQLite
/// compares moments as text, so an offset would lose their order.
pub(crate) fn moment(at: OffsetDateTime) -> TimeDateTime {
    let at = at.to_utc();
    TimeDateTime::new(at.date(), at.time())
}

/// Returns what recognises a token, as a column keeps it.
pub(crate) fn bytes(digest: &TokenDigest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}

/// Returns the address of a client, as a column keeps it.
pub(crate) fn address(client: &Client) -> Option<String> {
    client.address.map(|address| address.to_string())
}

/// Reads a client.
pub(crate) fn client(
    table: &'static str,
    address: Option<String>,
    user_agent: Option<String>,
) -> Result<Client, StoreError> {
    let address = address.map(|written| written.parse::<IpAddr>()).transpose();
    Ok(Client { address: address.map_err(corrupt(table, "address"))?, user_agent })
}

/// Returns a number as every database counts.
pub(crate) fn number(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

/// Reads a column of a fixed number of bytes.
pub(crate) fn array<const N: usize>(
    table: &'static str,
    column: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(corrupt(table, column))
}
