use serde::Deserialize;
use url::Url;

use super::secret::Redact;

/// The URL of a database, which may hold a password.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self("sqlite://countersign.db?mode=rwc".to_owned())
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl DatabaseUrl {
    /// Returns what was typed where a URL should be, as far as it can be shown: a path holds no secret.
    pub(crate) fn typed(&self) -> String {
        let is_file = |ending| self.0.ends_with(ending);
        let is_path =
            self.0.starts_with(['/', '.']) || [".db", ".sqlite", ".sqlite3"].iter().any(is_file);
        match self.0.is_empty() || (is_path && !self.0.contains(['@', ':'])) {
            true => self.0.clone(),
            false => self.redacted(),
        }
    }
}

impl Redact for DatabaseUrl {
    /// Returns the URL without its password, and without secrets among its parameters.
    fn redacted(&self) -> String {
        let url = Url::parse(&self.0).ok().filter(|url| !url.cannot_be_a_base());
        let Some(mut url) = url else {
            // SQLite's paths look like nothing else, and hold no secret.
            let is_path = self.0.starts_with("sqlite:") && !self.0.contains('@');
            return if is_path { self.0.clone() } else { "(not a URL)".to_owned() };
        };
        if url.password().is_some() {
            // A URL that has a password can have another one.
            let _ = url.set_password(Some("redacted"));
        }
        let is_secret = |name: &str| {
            let name = name.to_ascii_lowercase();
            ["pass", "secret", "key", "token"].iter().any(|word| name.contains(word))
        };
        if url.query_pairs().any(|(name, _)| is_secret(&name)) {
            let pairs: Vec<(String, String)> = url
                .query_pairs()
                .map(|(name, value)| {
                    let value = if is_secret(&name) { "redacted".into() } else { value };
                    (name.into_owned(), value.into_owned())
                })
                .collect();
            url.query_pairs_mut().clear().extend_pairs(pairs);
        }
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::Secret;
    use super::*;

    #[test]
    fn a_password_in_a_url_is_never_shown() {
        let secret = |url: &str| url.parse::<Secret<DatabaseUrl>>().unwrap();
        let url = secret("postgres://ada:hunter2@db.example/site?sslmode=require");
        let shown = format!("{url:?} {}", serde_json::to_string(&url).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("ada:redacted@db.example"), "{shown}");
        let plain = secret("sqlite://countersign.db?mode=rwc");
        assert_eq!(format!("{plain:?}"), "sqlite://countersign.db?mode=rwc");
        assert_eq!(format!("{:?}", secret("ada:hunter2@db")), "(not a URL)");
        for (url, typed) in [
            ("", ""),
            ("/var/lib/site.db", "/var/lib/site.db"),
            ("site.sqlite3", "site.sqlite3"),
            ("hunter2", "(not a URL)"),
            ("//ada:hunter2@db.example/site", "(not a URL)"),
            ("ada:hunter2.db", "(not a URL)"),
        ] {
            assert_eq!(secret(url).expose().typed(), typed);
        }
    }
}
