//! The configuration: compiled-in defaults, then a file, then the environment.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_auth::{AuthConfig, HashingConfig, SessionConfig};
use countersign_domain::{PasswordPolicy, SessionLifetimes};
use ipnet::IpNet;
use rocket::Config;
use rocket::config::Ident;
use rocket::figment::providers::{Env, Format, Serialized, Toml};
use rocket::figment::{Figment, Profile};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::failure::Failure;
use super::output;
use super::secret::DatabaseUrl;
use super::settings_error as error;
use super::span::Span;
use crate::Registration;
use crate::next::Next;

/// Where the configuration file is, if nobody says otherwise. It need not be there.
const DEFAULT_FILE: &str = "config/Rocket.toml";

/// Everything that the program is configured with.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Rocket's own, under Rocket's names.
    pub(crate) figment: Figment,
    /// The same, read.
    pub(crate) rocket: Config,
    /// Ours, from the table `countersign`.
    pub(crate) own: Own,
    /// A folder of templates that stand for ours.
    pub(crate) template_dir: Option<PathBuf>,
}

/// Our table. Its fields are the keys that the book lists.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Own {
    pub(crate) database_url: Option<DatabaseUrl>,
    #[serde(skip_serializing)]
    database_url_file: Option<PathBuf>,
    pub(crate) public_url: Option<Url>,
    #[serde(deserialize_with = "networks")]
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) login_redirect: String,
    pub(crate) logout_redirect: String,
    registration: RegistrationKey,
    session: SessionKeys,
    password: PasswordKeys,
    argon2: Argon2Keys,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum RegistrationKey {
    #[default]
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct SessionKeys {
    idle_timeout: Span,
    absolute_timeout: Span,
    fresh_for: Span,
    max_per_user: u32,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct PasswordKeys {
    min_length: usize,
    max_length: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Argon2Keys {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
    workers: usize,
    /// 64 for each worker.
    queue: Option<usize>,
    max_wait: Span,
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
            password: PasswordKeys::default(),
            argon2: Argon2Keys::default(),
        }
    }
}

impl Default for SessionKeys {
    fn default() -> Self {
        let SessionConfig { lifetimes, max_per_user } = SessionConfig::default();
        let span = |duration: time::Duration| Span(duration.unsigned_abs());
        Self {
            idle_timeout: span(lifetimes.idle),
            absolute_timeout: span(lifetimes.absolute),
            fresh_for: span(lifetimes.fresh),
            max_per_user,
        }
    }
}

impl Default for PasswordKeys {
    fn default() -> Self {
        let PasswordPolicy { min_chars, max_chars, .. } = PasswordPolicy::default();
        Self { min_length: min_chars, max_length: max_chars }
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

impl Settings {
    /// Reads the configuration. `file` and `database_url` come from the command line and win.
    pub(crate) fn load(file: Option<&Path>, database_url: Option<&str>) -> Result<Self, Failure> {
        let figment = sources(file)?;
        error::check_top_level_keys(&figment)?;
        let rocket = figment.extract::<Config>().map_err(|e| error::explain(e, &figment))?;
        let own = if figment.contains("countersign") {
            figment.extract_inner::<Own>("countersign").map_err(|e| error::explain(e, &figment))?
        } else {
            Own::default()
        };
        let template_dir = template_dir(&figment)?;
        let mut settings = Self { figment, rocket, own, template_dir };
        settings.complete(database_url)?;
        settings.check()?;
        Ok(settings)
    }

    /// Fills in what depends on other keys.
    fn complete(&mut self, database_url: Option<&str>) -> Result<(), Failure> {
        let own = &mut self.own;
        let from_file = own.database_url_file.as_deref().map(read_secret).transpose()?;
        own.database_url = match (database_url, own.database_url.take(), from_file) {
            (Some(url), _, _) => Some(DatabaseUrl::new(url)),
            (None, Some(_), Some(_)) => {
                return Err(Failure::new(
                    "both database_url and database_url_file are set: keep one",
                ));
            }
            (None, Some(url), None) | (None, None, Some(url)) => Some(url),
            (None, None, None) => Some(DatabaseUrl::new("sqlite://countersign.db?mode=rwc")),
        };
        if own.public_url.is_none() {
            let host = match self.rocket.address {
                address if address.is_unspecified() => "127.0.0.1".to_owned(),
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            };
            let url = format!("http://{host}:{}", self.rocket.port);
            own.public_url = Some(Url::parse(&url).map_err(Failure::new)?);
        }
        own.argon2.queue = own.argon2.queue.or(Some(own.argon2.workers.saturating_mul(64)));
        Ok(())
    }

    fn check(&self) -> Result<(), Failure> {
        let url = self.public_url()?;
        let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_origin || !is_anonymous {
            return Err(Failure::new(format!(
                "public_url = {:?} is not allowed: use a scheme, a host and perhaps a port, such \
                 as \"https://example.com\"",
                url.as_str()
            )));
        }
        let redirects = [
            ("login_redirect", &self.own.login_redirect),
            ("logout_redirect", &self.own.logout_redirect),
        ];
        for (key, path) in redirects {
            if Next::parse(path).is_none() {
                return Err(Failure::new(format!(
                    "{key} = {path:?} is not allowed: use a path on this site, such as \"/blogs\""
                )));
            }
        }
        self.auth().check().map_err(Failure::new)
    }

    pub(crate) fn database_url(&self) -> &str {
        self.own.database_url.as_ref().map_or("", DatabaseUrl::expose)
    }

    pub(crate) fn public_url(&self) -> Result<&Url, Failure> {
        self.own.public_url.as_ref().ok_or_else(|| Failure::new("public_url is not set"))
    }

    pub(crate) fn registration(&self) -> Registration {
        match self.own.registration {
            RegistrationKey::Open => Registration::Open,
            RegistrationKey::Closed => Registration::Closed,
        }
    }

    /// What the service is configured with.
    pub(crate) fn auth(&self) -> AuthConfig {
        let Own { session, password, argon2, .. } = &self.own;
        let host = self.own.public_url.as_ref().and_then(|url| url.host_str());
        let mut policy = PasswordPolicy {
            min_chars: password.min_length,
            max_chars: password.max_length,
            ..PasswordPolicy::default()
        };
        policy.context_words.extend(host.map(str::to_owned));
        AuthConfig {
            password: policy,
            hashing: HashingConfig {
                memory_kib: argon2.memory_kib,
                iterations: argon2.iterations,
                parallelism: argon2.parallelism,
                workers: argon2.workers,
                queue: argon2.queue.unwrap_or_default(),
                max_wait: argon2.max_wait.0,
            },
            sessions: SessionConfig {
                lifetimes: SessionLifetimes {
                    idle: duration(session.idle_timeout.0),
                    absolute: duration(session.absolute_timeout.0),
                    fresh: duration(session.fresh_for.0),
                },
                max_per_user: session.max_per_user,
            },
        }
    }

    /// Prints the effective values, without secrets, as TOML that could be written into a file, or
    /// as JSON.
    pub(crate) fn show(&self, json: bool) -> Result<(), Failure> {
        let own = serde_json::to_value(&self.own).map_err(Failure::new)?;
        let rocket = serde_json::json!({
            "address": self.rocket.address,
            "port": self.rocket.port,
            "workers": self.rocket.workers,
            "profile": self.figment.profile().to_string(),
            "log_level": self.rocket.log_level.to_string(),
            "template_dir": self.template_dir,
        });
        if json {
            return output::json(&serde_json::json!({ "rocket": rocket, "countersign": own }));
        }
        output::say(&format!("[{}]", self.figment.profile()))?;
        lines("", &rocket).iter().try_for_each(|line| output::say(line))?;
        output::say(&format!("\n[{}.countersign]", self.figment.profile()))?;
        lines("", &own).iter().try_for_each(|line| output::say(line))
    }
}

/// Every value below `value`, as `key = value` with dots between levels.
fn lines(prefix: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                lines(&key, value)
            })
            .collect(),
        Value::Null => Vec::new(),
        value => vec![format!("{prefix} = {value}")],
    }
}

fn sources(file: Option<&Path>) -> Result<Figment, Failure> {
    let quiet = Config {
        ident: Ident::none(),
        ip_header: None,
        cli_colors: false,
        // Long enough for a queued login to be answered.
        shutdown: rocket::config::Shutdown { grace: 10, mercy: 5, ..Default::default() },
        ..Config::default()
    };
    let mut figment = Figment::from(Serialized::defaults(quiet));
    let chosen = file.map(Path::to_path_buf).or_else(|| variable("ROCKET_CONFIG").map(Into::into));
    match chosen {
        Some(path) if path.is_file() => {
            figment = figment.merge(Toml::file_exact(path).nested());
        }
        Some(path) => {
            return Err(Failure::new(format!(
                "the configuration file {} is not there: name one that is, or none",
                path.display()
            )));
        }
        None if Path::new(DEFAULT_FILE).is_file() => {
            figment = figment.merge(Toml::file_exact(DEFAULT_FILE).nested());
        }
        None => {}
    }
    let ours = Env::prefixed("COUNTERSIGN_")
        .map(|key| format!("countersign.{}", key.as_str().replace("__", ".")).into())
        .global();
    let plain = Env::raw().only(&["DATABASE_URL"]).map(|_| "countersign.database_url".into());
    figment = figment
        .merge(Env::prefixed("ROCKET_").ignore(&["CONFIG", "PROFILE"]).global())
        .merge(plain.global())
        .merge(ours);
    let profile = Profile::from_env_or("ROCKET_PROFILE", Config::DEFAULT_PROFILE);
    Ok(figment.select(profile))
}

#[expect(clippy::disallowed_methods, reason = "the configuration begins here")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

fn template_dir(figment: &Figment) -> Result<Option<PathBuf>, Failure> {
    use rocket::figment::value::magic::RelativePathBuf;
    if !figment.contains("template_dir") {
        return Ok(None);
    }
    let path = figment.extract_inner::<RelativePathBuf>("template_dir");
    let path = path.map_err(|e| error::explain(e, figment))?.relative();
    if path.is_dir() {
        return Ok(Some(path));
    }
    Err(Failure::new(format!(
        "template_dir = {:?} is not a folder: name one, or leave the key out",
        path.display().to_string()
    )))
}

fn read_secret(path: &Path) -> Result<DatabaseUrl, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!("database_url_file = {path:?} cannot be read: {error}"))
    })?;
    Ok(DatabaseUrl::new(text.trim_end_matches(['\r', '\n'])))
}

fn duration(duration: Duration) -> time::Duration {
    time::Duration::try_from(duration).unwrap_or(time::Duration::MAX)
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
