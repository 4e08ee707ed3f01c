//! The configuration: compiled-in defaults, then a file, then the environment.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_auth::{
    AuditConfig, AuthConfig, BreachFile, HashingConfig, Protection, SessionConfig,
};
use countersign_domain::throttle::Backoff;
use countersign_domain::{PasswordPolicy, SessionLifetimes, ThrottlePolicy};
use rocket::Config;
use rocket::config::Ident;
use rocket::figment::providers::{Env, Format, Serialized, Toml};
use rocket::figment::{Figment, Profile};
use serde_json::Value;
use url::Url;

use super::failure::Failure;
use super::keys::{Own, ProtectionKey, RegistrationKey, Tables};
use super::output;
use super::secret::DatabaseUrl;
use super::settings_error as error;
use crate::Registration;
use crate::request::next::Next;

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
    /// The file of stolen passwords, which is one as far as was looked.
    breach_file: Option<BreachFile>,
    /// The public URL, if it is configured and not only derived from the address and the port.
    pub(crate) configured_url: Option<Url>,
}

impl Settings {
    /// Reads the configuration. `file` and `database_url` come from the command line and win.
    pub(crate) fn load(file: Option<&Path>, database_url: Option<&str>) -> Result<Self, Failure> {
        Self::read(sources(file)?, database_url)
    }

    /// Reads what all sources come to.
    pub(crate) fn read(figment: Figment, database_url: Option<&str>) -> Result<Self, Failure> {
        error::check_top_level_keys(&figment)?;
        let rocket = figment.extract::<Config>().map_err(|e| error::explain(e, &figment))?;
        let Tables { countersign: own } =
            figment.extract().map_err(|e| error::explain(e, &figment))?;
        let template_dir = template_dir(&figment)?;
        let configured_url = own.public_url.clone();
        let breach_file = own.password.breach_file.as_deref().map(open_breach_file).transpose()?;
        let mut settings = Self { figment, rocket, own, template_dir, breach_file, configured_url };
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
            let shown = DatabaseUrl::new(url.as_str());
            return Err(Failure::new(format!(
                "public_url = \"{shown:?}\" is not allowed: use a scheme, a host and perhaps a \
                 port, such as \"https://example.com\""
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
        if let Some(metrics) = self.own.metrics_address.filter(|metrics| self.is_own(metrics)) {
            return Err(Failure::new(format!(
                "metrics_address = \"{metrics}\" is not allowed: use another port than the site's"
            )));
        }
        self.auth().check().map_err(Failure::new)
    }

    /// Whether the site itself is to listen there.
    fn is_own(&self, address: &SocketAddr) -> bool {
        let (ip, site) = (address.ip(), self.rocket.address);
        let is_one = ip == site || ip.is_unspecified() || site.is_unspecified();
        address.port() != 0 && address.port() == self.rocket.port && is_one
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

    /// Whether the site is meant for https, and no proxy is known that could speak it.
    pub(crate) fn is_bare(&self) -> bool {
        let is_https = self.configured_url.as_ref().is_some_and(|url| url.scheme() == "https");
        is_https && self.own.trusted_proxies.is_empty()
    }

    /// What the service is configured with.
    pub(crate) fn auth(&self) -> AuthConfig {
        let Own { session, remember, password, argon2, audit, .. } = &self.own;
        let host = self.own.public_url.as_ref().and_then(|url| url.host_str());
        let mut policy = PasswordPolicy {
            min_chars: password.min_length,
            max_chars: password.max_length,
            ..PasswordPolicy::default()
        };
        policy.context_words.extend(host.map(str::to_owned));
        AuthConfig {
            password: policy,
            breach_file: self.breach_file.clone(),
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
                    remembered: duration(remember.duration.0),
                },
                max_per_user: session.max_per_user,
                protection: match session.protection {
                    ProtectionKey::Off => Protection::Off,
                    ProtectionKey::Basic => Protection::Basic,
                    ProtectionKey::Strong => Protection::Strong,
                },
                remember: remember.enabled,
                max_staleness: duration(session.max_staleness.0),
            },
            throttle: self.own.throttle.enabled.then(|| self.throttle()),
            audit: AuditConfig {
                keep_for: duration(audit.keep_for.0),
                keep_addresses_for: duration(audit.keep_addresses_for.0),
            },
        }
    }

    fn throttle(&self) -> ThrottlePolicy {
        let keys = &self.own.throttle;
        ThrottlePolicy {
            account_from_address: keys.account_from_address.0,
            account: Backoff {
                free: keys.account_free,
                first: duration(keys.account_delay.0),
                longest: duration(keys.account_longest.0),
                most: keys.account_most,
                rest: duration(keys.account_rest.0),
            },
            address_tries: keys.address_tries.0,
            address: keys.address_failures.0,
            network_tries: keys.network_tries.0,
            network: keys.network_failures.0,
            site: keys.site_failures.0,
            registrations: keys.registrations.0,
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
pub(crate) fn lines(prefix: &str, value: &Value) -> Vec<String> {
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

/// The key that an environment variable names after its prefix.
pub(crate) fn own_key(name: &str) -> String {
    format!("countersign.{}", name.replace("__", "."))
}

/// Whether Figment 0.10 can read the value of a variable. In quoted text it takes the number of the
/// first escaped character for its place in bytes, which loses text or panics.
pub(crate) fn is_readable(value: &str) -> bool {
    let is_quoted = value.trim_start().starts_with(['"', '[', '{']);
    !is_quoted || value.is_ascii() || !value.contains('\\')
}

/// What holds where nobody says otherwise.
pub(crate) fn defaults() -> Figment {
    let quiet = Config {
        ident: Ident::none(),
        ip_header: None,
        cli_colors: false,
        // Long enough for a queued login to be answered.
        shutdown: rocket::config::Shutdown { grace: 10, mercy: 5, ..Default::default() },
        ..Config::default()
    };
    Figment::from(Serialized::defaults(quiet))
}

fn sources(file: Option<&Path>) -> Result<Figment, Failure> {
    let mut figment = defaults();
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
    let ours = Env::prefixed("COUNTERSIGN_").map(|name| own_key(name.as_str()).into()).global();
    let plain = Env::raw().only(&["DATABASE_URL"]).map(|_| "countersign.database_url".into());
    let rocket = Env::prefixed("ROCKET_").ignore(&["CONFIG", "PROFILE"]);
    for variables in [&rocket, &plain, &ours] {
        if let Some((key, _)) = variables.iter().find(|(_, value)| !is_readable(value)) {
            let key = key.as_str().trim_start_matches("countersign.");
            return Err(Failure::new(format!(
                "{key} = (hidden) is not allowed: use no backslash in a text with letters beyond \
                 ASCII (in the environment)"
            )));
        }
    }
    figment = figment.merge(rocket.global()).merge(plain.global()).merge(ours);
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

fn open_breach_file(path: &Path) -> Result<BreachFile, Failure> {
    BreachFile::open(path)
        .map_err(|error| Failure::new(format!("password.breach_file = {path:?} {error}")))
}

fn duration(duration: Duration) -> time::Duration {
    time::Duration::try_from(duration).unwrap_or(time::Duration::MAX)
}
