//! Our table in the configuration: each field is a key that the book lists.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use countersign_auth::{AuditConfig, HashingConfig, SessionConfig};
use countersign_domain::{PasswordPolicy, ThrottlePolicy};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Url;

use super::pace::Pace;
use super::secret::DatabaseUrl;
use super::span::Span;

/// What is ours among the tables.
#[derive(Deserialize)]
pub(crate) struct Tables {
    #[serde(default)]
    pub(crate) countersign: Own,
}

/// Our table. Its fields are the keys that the book lists.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Own {
    pub(crate) database_url: Option<DatabaseUrl>,
    #[serde(skip_serializing)]
    pub(crate) database_url_file: Option<PathBuf>,
    #[serde(serialize_with = "origin")]
    pub(crate) public_url: Option<Url>,
    #[serde(deserialize_with = "networks")]
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) login_redirect: String,
    pub(crate) logout_redirect: String,
    pub(crate) registration: RegistrationKey,
    pub(crate) session: SessionKeys,
    pub(crate) remember: RememberKeys,
    pub(crate) password: PasswordKeys,
    pub(crate) throttle: ThrottleKeys,
    pub(crate) audit: AuditKeys,
    pub(crate) argon2: Argon2Keys,
    #[serde(deserialize_with = "listener")]
    pub(crate) metrics_address: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RegistrationKey {
    #[default]
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SessionKeys {
    pub(crate) idle_timeout: Span,
    pub(crate) absolute_timeout: Span,
    pub(crate) fresh_for: Span,
    pub(crate) protection: ProtectionKey,
    pub(crate) max_staleness: Span,
    pub(crate) max_per_user: u32,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProtectionKey {
    Off,
    #[default]
    Basic,
    Strong,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RememberKeys {
    pub(crate) enabled: bool,
    pub(crate) duration: Span,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PasswordKeys {
    pub(crate) min_length: usize,
    pub(crate) max_length: usize,
    pub(crate) breach_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Argon2Keys {
    pub(crate) memory_kib: u32,
    pub(crate) iterations: u32,
    pub(crate) parallelism: u32,
    pub(crate) workers: usize,
    /// 64 for each worker.
    pub(crate) queue: Option<usize>,
    pub(crate) max_wait: Span,
}

/// How far guesses are let in.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ThrottleKeys {
    pub(crate) enabled: bool,
    pub(crate) account_from_address: Pace,
    pub(crate) account_free: u32,
    pub(crate) account_delay: Span,
    pub(crate) account_longest: Span,
    pub(crate) account_most: u32,
    pub(crate) account_rest: Span,
    pub(crate) address_tries: Pace,
    pub(crate) address_failures: Pace,
    pub(crate) network_tries: Pace,
    pub(crate) network_failures: Pace,
    pub(crate) site_failures: Pace,
    pub(crate) registrations: Pace,
}

/// How long the audit trail is kept.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuditKeys {
    pub(crate) keep_for: Span,
    pub(crate) keep_addresses_for: Span,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            database_url: None,
            database_url_file: None,
            public_url: None,
            trusted_proxies: Vec::new(),
            login_redirect: "/blogs".to_owned(),
            logout_redirect: "/login".to_owned(),
            registration: RegistrationKey::default(),
            session: SessionKeys::default(),
            remember: RememberKeys::default(),
            password: PasswordKeys::default(),
            throttle: ThrottleKeys::default(),
            audit: AuditKeys::default(),
            argon2: Argon2Keys::default(),
            metrics_address: None,
        }
    }
}

impl Default for SessionKeys {
    fn default() -> Self {
        let SessionConfig { lifetimes, max_per_user, max_staleness, .. } = SessionConfig::default();
        let span = |duration: time::Duration| Span(duration.unsigned_abs());
        Self {
            idle_timeout: span(lifetimes.idle),
            absolute_timeout: span(lifetimes.absolute),
            fresh_for: span(lifetimes.fresh),
            protection: ProtectionKey::default(),
            max_staleness: span(max_staleness),
            max_per_user,
        }
    }
}

impl Default for RememberKeys {
    fn default() -> Self {
        let SessionConfig { lifetimes, remember, .. } = SessionConfig::default();
        Self { enabled: remember, duration: Span(lifetimes.remembered.unsigned_abs()) }
    }
}

impl Default for PasswordKeys {
    fn default() -> Self {
        let PasswordPolicy { min_chars, max_chars, .. } = PasswordPolicy::default();
        Self { min_length: min_chars, max_length: max_chars, breach_file: None }
    }
}

impl Default for Argon2Keys {
    fn default() -> Self {
        let HashingConfig { memory_kib, iterations, parallelism, workers, max_wait, .. } =
            HashingConfig::default();
        let max_wait = Span(max_wait);
        Self { memory_kib, iterations, parallelism, workers, queue: None, max_wait }
    }
}

impl Default for ThrottleKeys {
    fn default() -> Self {
        let policy = ThrottlePolicy::default();
        let span = |duration: time::Duration| Span(duration.unsigned_abs());
        Self {
            enabled: true,
            account_from_address: Pace(policy.account_from_address),
            account_free: policy.account.free,
            account_delay: span(policy.account.first),
            account_longest: span(policy.account.longest),
            account_most: policy.account.most,
            account_rest: span(policy.account.rest),
            address_tries: Pace(policy.address_tries),
            address_failures: Pace(policy.address),
            network_tries: Pace(policy.network_tries),
            network_failures: Pace(policy.network),
            site_failures: Pace(policy.site),
            registrations: Pace(policy.registrations),
        }
    }
}

impl Default for AuditKeys {
    fn default() -> Self {
        let AuditConfig { keep_for, keep_addresses_for } = AuditConfig::default();
        let span = |duration: time::Duration| Span(duration.unsigned_abs());
        Self { keep_for: span(keep_for), keep_addresses_for: span(keep_addresses_for) }
    }
}

/// Networks and single addresses, in a list or in one text with commas between them.
fn networks<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        List(Vec<String>),
        Text(String),
    }
    let written = match Written::deserialize(deserializer)? {
        Written::List(list) => list,
        Written::Text(text) => text.split(',').map(str::to_owned).collect(),
    };
    let written = written.iter().map(|net| net.trim()).filter(|net| !net.is_empty());
    let parse = |net: &str| {
        let address = net.parse::<IpAddr>().map(IpNet::from);
        net.parse::<IpNet>().or(address)
    };
    let allowed = "use networks such as \"10.0.0.0/8\" and \"::1/128\"";
    written.map(|net| parse(net).map_err(|_| serde::de::Error::custom(allowed))).collect()
}

/// Where to listen. What the library says of a text that is none names no example.
fn listener<'de, D>(deserializer: D) -> Result<Option<SocketAddr>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let written = serde_json::Value::deserialize(deserializer)?;
    let address = written.as_str().and_then(|text| text.parse().ok());
    let allowed = "use an IP address and a port, such as \"127.0.0.1:9090\"";
    address.map(Some).ok_or_else(|| serde::de::Error::custom(allowed))
}

/// A URL as the configuration writes it: it has no path, so it ends without a slash.
fn origin<S: serde::Serializer>(url: &Option<Url>, serializer: S) -> Result<S::Ok, S::Error> {
    url.as_ref().map(|url| url.origin().ascii_serialization()).serialize(serializer)
}
