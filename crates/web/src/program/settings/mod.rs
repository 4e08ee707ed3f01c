//! The configuration. A key is a field of a section below this folder, or of [`keys::Keys`].

mod argon2;
mod audit;
mod database_url;
mod error;
mod hsts;
mod keys;
mod limits;
mod pace;
mod password;
mod remember;
mod schema;
pub(crate) mod secret;
mod section;
mod service;
mod session;
pub(crate) mod show;
mod site;
pub(crate) mod sources;
mod span;
mod throttle;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use countersign_auth::{AuthConfig, BreachFile};
use countersign_persistence::SqlStore;
use rocket::Config;
use rocket::figment::Figment;
use rocket::figment::value::magic::RelativePathBuf;
use rocket::figment::value::{Dict, Value};
use url::Url;

use super::failure::Failure;
use crate::request::next::Next;
use error::Found;
use keys::Keys;
use schema::Schema;
use secret::Redact;

pub(crate) use database_url::DatabaseUrl;
pub(crate) use secret::Secret;
pub(crate) use span::Span;

/// Everything that the program is configured with.
#[derive(Debug)]
pub(crate) struct Settings {
    /// All sources, with Rocket's keys under Rocket's names.
    pub(crate) figment: Figment,
    /// Rocket's keys.
    pub(crate) rocket: Config,
    /// The keys of the table `countersign`.
    pub(crate) keys: Keys,
    /// A folder of templates that replace the compiled-in ones.
    pub(crate) template_dir: Option<PathBuf>,
    /// The file of stolen passwords, opened.
    breach_file: Option<BreachFile>,
    /// The public URL, if it is configured and not only derived from the address and the port.
    pub(crate) configured_url: Option<Url>,
}

impl Settings {
    /// Reads the configuration. `file` and `database_url` come from the command line and win.
    pub(crate) fn load(
        file: Option<&Path>,
        database_url: Option<Secret<DatabaseUrl>>,
    ) -> Result<Self, Failure> {
        Self::read(sources::collect(file)?, database_url)
    }

    /// Reads the configuration from sources that are collected.
    pub(crate) fn read(
        figment: Figment,
        database_url: Option<Secret<DatabaseUrl>>,
    ) -> Result<Self, Failure> {
        let schema = &Schema::of::<Keys>();
        let found = Found { figment: &figment, values: &Value::from(Dict::new()), schema };
        let values = &figment.find_value("").map_err(|error| found.explain(error))?;
        let found = Found { values, ..found };
        found.check_top_level_keys()?;
        let rocket = figment.extract::<Config>().map_err(|error| found.explain(error))?;
        let mut keys = read_keys(found, database_url.is_some())?;
        keys.database_url = database_url.unwrap_or(keys.database_url);
        let template_dir = read_template_dir(found)?;
        let breach_file = keys.password.open_breach_file()?;
        let configured_url = keys.public_url.clone();
        keys.public_url = Some(configured_url.clone().map_or_else(|| local_url(&rocket), Ok)?);
        keys.argon2.queue = Some(keys.argon2.queue());
        let settings = Self { figment, rocket, keys, template_dir, breach_file, configured_url };
        settings.check()?;
        let found = Found { figment: &settings.figment, values, schema };
        let limits = settings.auth().check();
        limits.map_err(|error| limits::explain(error, found, &settings.keys))?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Failure> {
        for (key, value) in
            [("workers", self.rocket.workers), ("max_blocking", self.rocket.max_blocking)]
        {
            if value == 0 {
                return Err(Failure::new(format!("{key} = 0 is not allowed: use 1 or more")));
            }
        }
        let url = self.public_url()?;
        let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_origin || !is_anonymous {
            let shown = DatabaseUrl::from(url.to_string()).redacted();
            return Err(Failure::new(format!(
                "public_url = \"{shown}\" is not allowed: use a scheme, a host and perhaps a port, \
                 such as \"https://example.com\""
            )));
        }
        let redirects = [
            ("login_redirect", &self.keys.login_redirect),
            ("logout_redirect", &self.keys.logout_redirect),
        ];
        for (key, path) in redirects {
            if Next::parse(path).is_none() {
                return Err(Failure::new(format!(
                    "{key} = {path:?} is not allowed: use a path on this site, such as \"/blogs\""
                )));
            }
        }
        if let Some(metrics) = self.keys.metrics_address.filter(|metrics| self.is_own(metrics)) {
            return Err(Failure::new(format!(
                "metrics_address = \"{metrics}\" is not allowed: use another port than the site's"
            )));
        }
        self.keys.hsts.check()
    }

    /// Returns whether the site itself listens at that address.
    fn is_own(&self, address: &SocketAddr) -> bool {
        let (ip, site) = (address.ip(), self.rocket.address);
        let is_one = ip == site || ip.is_unspecified() || site.is_unspecified();
        address.port() != 0 && address.port() == self.rocket.port && is_one
    }

    /// Refuses a database URL that cannot be read.
    pub(crate) fn with_a_database(self) -> Result<Self, Failure> {
        SqlStore::check_url(self.database_url()).map_err(|error| {
            let typed = self.keys.database_url.expose().typed();
            let is_path = !typed.contains(':') && !typed.is_empty() && !typed.starts_with('(');
            let example = match self.database_url().split_once(':') {
                Some((scheme @ ("postgres" | "postgresql" | "mysql" | "mariadb"), _)) => {
                    format!("{scheme}://countersign:secret@127.0.0.1/countersign")
                }
                _ if is_path => format!("sqlite://{typed}?mode=rwc"),
                _ => DatabaseUrl::default().as_str().to_owned(),
            };
            let why = error.why();
            Failure::new(format!(
                "database_url = {typed:?} is not allowed: {why}, such as {example:?}"
            ))
        })?;
        Ok(self)
    }

    pub(crate) fn database_url(&self) -> &str {
        self.keys.database_url.expose().as_str()
    }

    pub(crate) fn public_url(&self) -> Result<&Url, Failure> {
        self.keys.public_url.as_ref().ok_or_else(|| Failure::new("public_url is not set"))
    }

    /// Returns whether the site is meant for https while no proxy is known that could provide it.
    pub(crate) fn is_bare(&self) -> bool {
        let is_https = self.configured_url.as_ref().is_some_and(|url| url.scheme() == "https");
        is_https && self.keys.trusted_proxies.is_empty()
    }

    /// Returns the configuration of the service.
    pub(crate) fn auth(&self) -> AuthConfig {
        let Keys { session, remember, password, argon2, throttle, audit, .. } = &self.keys;
        let mut config = AuthConfig::default();
        config.breach_file = self.breach_file.clone();
        config.throttle = throttle.policy();
        session.apply(&mut config.sessions);
        remember.apply(&mut config.sessions);
        password.apply(&mut config.password);
        argon2.apply(&mut config.hashing);
        config.hashing.queue = argon2.queue();
        audit.apply(&mut config.audit);
        let host = self.keys.public_url.as_ref().and_then(Url::host_str);
        config.password.context_words.extend(host.map(str::to_owned));
        config
    }

    /// Prints the effective values, without secrets.
    pub(crate) fn show(&self, json: bool) -> Result<(), Failure> {
        let profile = self.figment.profile().to_string();
        let keys = serde_json::to_value(&self.keys).map_err(Failure::new)?;
        let rocket = serde_json::json!({
            "address": self.rocket.address,
            "port": self.rocket.port,
            "workers": self.rocket.workers,
            "profile": profile,
            "log_level": self.rocket.log_level.to_string(),
            "template_dir": self.template_dir,
        });
        show::show(&profile, &rocket, &keys, json)
    }
}

/// Reads the table `countersign`, and the files that its secrets are in.
fn read_keys(found: Found<'_>, has_database: bool) -> Result<Keys, Failure> {
    let mut keys = match found.values.find_ref("countersign") {
        Some(Value::Dict(_, keys)) => keys.clone(),
        Some(other) => {
            let other = serde_json::to_string(other).unwrap_or_default();
            let why = format!("countersign = {other} is not allowed: use a table of keys");
            return Err(Failure::new(why));
        }
        None => Dict::new(),
    };
    if has_database && keys.contains_key("database_url_file") {
        // `--database-url` wins over both keys, so that they do not contradict each other.
        keys.remove("database_url");
    }
    found.schema.read_secret_files(&mut keys)?;
    let values = &Value::from(keys);
    values.deserialize().map_err(|error| Found { values, ..found }.explain(error))
}

fn read_template_dir(found: Found<'_>) -> Result<Option<PathBuf>, Failure> {
    if found.values.find_ref("template_dir").is_none() {
        return Ok(None);
    }
    let path = found.figment.extract_inner::<RelativePathBuf>("template_dir");
    let path = path.map_err(|error| found.explain(error))?.relative();
    if path.is_dir() {
        return Ok(Some(path));
    }
    Err(Failure::new(format!(
        "template_dir = {:?} is not a folder: name one, or leave the key out",
        path.display().to_string()
    )))
}

/// Returns the URL of a site that is reached at the address that it listens at.
fn local_url(rocket: &Config) -> Result<Url, Failure> {
    let host = match rocket.address {
        address if address.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    Url::parse(&format!("http://{host}:{}", rocket.port)).map_err(Failure::new)
}
