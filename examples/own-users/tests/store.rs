//! The store keeps every promise of its ports.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use own_users::Members;

countersign_domain::store_contract!(async || Members::open("sqlite::memory:").await.unwrap());
