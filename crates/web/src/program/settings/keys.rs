use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

use super::argon2::Argon2;
use super::audit::Audit;
use super::database_url::DatabaseUrl;
use super::hsts::Hsts;
use super::password::Password;
use super::remember::Remember;
use super::secret::Secret;
use super::session::Session;
use super::site::Site;
use super::throttle::Throttle;
use crate::Registration;

/// The table `countersign`: its own keys and its sections.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Keys {
    /// The database that holds users and sessions.
    pub(crate) database_url: Secret<DatabaseUrl>,
    /// Where browsers reach the site; by default Rocket's address and port.
    #[serde(serialize_with = "origin")]
    pub(crate) public_url: Option<Url>,
    /// The proxies whose `X-Forwarded-For` or `Forwarded` is believed.
    #[serde(deserialize_with = "networks")]
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Where a login leads that interrupted no other visit.
    pub(crate) login_redirect: String,
    /// Where a logout leads.
    pub(crate) logout_redirect: String,
    /// Whether people may register themselves.
    #[serde(with = "RegistrationWord")]
    pub(crate) registration: Registration,
    pub(crate) session: Session,
    pub(crate) remember: Remember,
    pub(crate) password: Password,
    pub(crate) throttle: Throttle,
    pub(crate) audit: Audit,
    pub(crate) argon2: Argon2,
    pub(crate) hsts: Hsts,
    pub(crate) site: Site,
    /// Where metrics are served for Prometheus; by default nowhere.
    #[serde(deserialize_with = "listener")]
    pub(crate) metrics_address: Option<SocketAddr>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            database_url: Secret::default(),
            public_url: None,
            trusted_proxies: Vec::new(),
            login_redirect: "/blogs".to_owned(),
            logout_redirect: "/login".to_owned(),
            registration: Registration::default(),
            session: Session::default(),
            remember: Remember::default(),
            password: Password::default(),
            throttle: Throttle::default(),
            audit: Audit::default(),
            argon2: Argon2::default(),
            hsts: Hsts::default(),
            site: Site::default(),
            metrics_address: None,
        }
    }
}

/// The words for [`Registration`].
#[derive(Deserialize, Serialize)]
#[serde(remote = "Registration", rename_all = "lowercase")]
enum RegistrationWord {
    Open,
    Closed,
}

/// Reads networks and single addresses, from a list or from one text with commas between them.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
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
    written.map(|net| parse(net).map_err(|_| D::Error::custom(allowed))).collect()
}

/// Reads an address to listen at. The library's own error names no example.
fn listener<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let written = serde_json::Value::deserialize(deserializer)?;
    let address = written.as_str().and_then(|text| text.parse().ok());
    let allowed = "use an IP address and a port, such as \"127.0.0.1:9090\"";
    address.map(Some).ok_or_else(|| D::Error::custom(allowed))
}

/// Writes a URL as the configuration has it: it has no path, so it ends without a slash.
fn origin<S: Serializer>(url: &Option<Url>, serializer: S) -> Result<S::Ok, S::Error> {
    url.as_ref().map(|url| url.origin().ascii_serialization()).serialize(serializer)
}
