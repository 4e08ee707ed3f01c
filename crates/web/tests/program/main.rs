//! Tests of the program as an operator sees it: a process with arguments, an environment, files and a port.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests and their helpers fail by panicking"
)]

mod accounts;
mod asvs;
mod audit;
#[cfg(target_os = "linux")]
mod bare;
mod broken_configuration;
mod broken_database;
mod canary;
mod careful;
mod clocks;
mod commands;
mod configuration;
mod crash;
#[cfg(target_os = "linux")]
mod crowd;
mod databases;
#[cfg(target_os = "linux")]
mod edge;
mod export;
mod fail2ban;
#[cfg(target_os = "linux")]
mod failures;
mod http;
mod logs;
mod metrics;
mod nodes;
#[cfg(target_os = "linux")]
mod own;
#[cfg(target_os = "linux")]
#[path = "../../../persistence/tests/support/pooler.rs"]
mod pooled;
#[cfg(target_os = "linux")]
mod pooler;
mod races;
mod serve;
#[path = "../../../persistence/tests/support/server.rs"]
mod server;
mod support;
mod tampering;
#[cfg(target_os = "linux")]
mod tls;
mod wire;
