//! What the use of a remembered login comes to, as tests for stores.

pub(crate) mod contract;
