//! Tests that the store keeps every promise of its ports.

use own_users::Members;

countersign_domain::store_contract!(async || Members::open("sqlite::memory:").await.unwrap());
