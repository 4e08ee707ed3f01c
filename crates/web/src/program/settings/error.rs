//! What is wrong with a configuration, in one line: the key, its value, what is allowed, and where it
//! was set.

use rocket::figment::error::Kind;
use rocket::figment::value::Value;
use rocket::figment::{Error, Figment, Metadata, Source};
use serde_json::Value as Json;

use super::schema::Schema;
use super::secret::HIDDEN;
use crate::program::failure::Failure;

/// The keys of Rocket, and the table of ours.
const TOP_LEVEL: &[&str] = &[
    "address",
    "port",
    "workers",
    "max_blocking",
    "ident",
    "ip_header",
    "limits",
    "temp_dir",
    "keep_alive",
    "secret_key",
    "shutdown",
    "log_level",
    "cli_colors",
    "template_dir",
    "profile",
    "countersign",
];

/// Values, with what is known of them.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) figment: &'a Figment,
    pub(crate) values: &'a Value,
    /// The keys that may hold a secret.
    pub(crate) schema: &'a Schema,
}

impl Found<'_> {
    /// Refuses a key that neither Rocket nor we know: it is most likely misspelt.
    pub(crate) fn check_top_level_keys(self) -> Result<(), Failure> {
        if self.figment.profiles().any(|profile| profile == "countersign") {
            return Err(Failure::new(
                "the table [countersign] is read as a profile of that name: write \
                 [default.countersign]",
            ));
        }
        if self.values.find_ref("tls").is_some() {
            return Err(Failure::new(
                "tls is not a key: this program speaks no TLS. Put a reverse proxy in front of it, \
                 and set public_url to the https address",
            ));
        }
        let mut all = self.values.as_dict().into_iter().flatten();
        match all.find(|(key, _)| !TOP_LEVEL.contains(&key.as_str())) {
            Some((key, value)) => Err(Failure::new(format!(
                "{} is not a key: known are {}",
                self.assignment(key, Some(value)),
                TOP_LEVEL.join(", "),
            ))),
            None => Ok(()),
        }
    }

    /// Says what an error of the configuration library means.
    pub(crate) fn explain(self, error: Error) -> Failure {
        // The library collects errors; once the first is mended, the next one is shown.
        let Some(error) = error.into_iter().next() else {
            return Failure::new("the configuration cannot be read");
        };
        let key = error.path.join(".");
        let value = self.values.find_ref(&key).filter(|_| !key.is_empty());
        let assignment = self.assignment(&key, value);
        let what = match &error.kind {
            Kind::UnknownField(_, names) => {
                let table = error.path.split_last().map_or(&[][..], |(_, table)| table);
                let known = self.schema.known(table, names).join(", ");
                format!("{assignment} is not a key: known are {known}")
            }
            Kind::UnknownVariant(_, words) => {
                format!("{assignment} is not allowed: use {}", one_of(words))
            }
            Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
                let words = self.schema.words(&error.path).map(one_of);
                let allowed = words.unwrap_or_else(|| in_words(expected).to_owned());
                format!("{assignment} is not allowed: use {allowed}")
            }
            Kind::Message(why) if key.is_empty() => without_excerpt(why),
            Kind::Message(allowed) => format!("{assignment} is not allowed: {allowed}"),
            other if key.is_empty() => other.to_string(),
            other => format!("{assignment}: {other}"),
        };
        let origin = error.metadata.as_ref().and_then(origin_of);
        Failure::new(what + &origin.unwrap_or_else(|| self.origin(value)))
    }

    /// Refuses the value of one of our keys, as it was typed, or as it is in effect where nobody has set it.
    pub(crate) fn refuse(self, key: &str, in_effect: &Json, allowed: &str) -> Failure {
        let value = self.values.find_ref(&format!("countersign.{key}"));
        let assignment = match value {
            Some(_) => self.assignment(key, value),
            None => format!("{key} = {in_effect}"),
        };
        let origin = self.origin(value);
        Failure::new(format!("{assignment} is not allowed: {allowed}{origin}"))
    }

    /// Says where a value was set, in brackets; nothing where nobody has set it.
    fn origin(self, value: Option<&Value>) -> String {
        let metadata = value.and_then(|value| self.figment.get_metadata(value.tag()));
        metadata.and_then(origin_of).unwrap_or_default()
    }

    /// Returns `key = value` as it would be written, without secrets.
    fn assignment(self, key: &str, value: Option<&Value>) -> String {
        let Some(value) = value else { return key.to_owned() };
        if self.is_secret(key) {
            return format!("{key} = {HIDDEN}");
        }
        let json = serde_json::to_value(value).map(|value| self.without_secrets(value));
        format!("{key} = {}", json.unwrap_or_default())
    }

    fn without_secrets(self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value::{Array, Object};
        match value {
            Object(members) => Object(
                members
                    .into_iter()
                    .map(|(key, value)| match self.is_secret(&key) {
                        true => (key, HIDDEN.into()),
                        false => (key, self.without_secrets(value)),
                    })
                    .collect(),
            ),
            Array(items) => items.into_iter().map(|item| self.without_secrets(item)).collect(),
            other => other,
        }
    }

    fn is_secret(self, key: &str) -> bool {
        let name = key.rsplit('.').next().unwrap_or(key);
        name.ends_with("secret_key") || name.ends_with("tls") || self.schema.is_secret(name)
    }
}

fn origin_of(metadata: &Metadata) -> Option<String> {
    match &metadata.source {
        Some(Source::File(path)) => Some(format!(" (in {})", path.display())),
        _ => metadata.name.contains("environment").then(|| " (in the environment)".into()),
    }
}

/// Returns words as `a, b or c`.
fn one_of(words: &[&str]) -> String {
    match words {
        [words @ .., last] if !words.is_empty() => format!("{} or {last}", words.join(", ")),
        words => words.concat(),
    }
}

/// Says what is expected where the library knows it only by the name of a type.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        table if table.starts_with("struct ") => "a table of keys",
        other => other,
    }
}

/// Returns what a parser says of a file, with only the key of a line that it quotes: the value may be
/// a secret.
fn without_excerpt(why: &str) -> String {
    let shown = |line: &str| {
        let is_number = |text: &str| text.chars().all(|c| c == ' ' || c.is_ascii_digit());
        let Some((_, quoted)) = line.split_once('|').filter(|(number, _)| is_number(number)) else {
            return Some(line.to_owned());
        };
        let key = quoted.split_once('=')?.0.trim();
        let is_of_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
        key.chars().all(is_of_key).then(|| format!("({key} = …)"))
    };
    why.lines().filter_map(shown).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_listed_as_in_a_sentence() {
        assert_eq!(one_of(&["open"]), "open");
        assert_eq!(one_of(&["open", "closed"]), "open or closed");
        assert_eq!(one_of(&["off", "basic", "strong"]), "off, basic or strong");
    }

    #[test]
    fn what_a_parser_quotes_is_shown_without_its_value() {
        let why = |line| format!("error at line 2\n  |\n2 | {line}\n  |    ^\ninvalid string");
        let shown = without_excerpt(&why("client_secret = \"hunter2"));
        assert_eq!(shown, "error at line 2 (client_secret = …) invalid string");
        for line in ["hunter2\"", "ada:hunter2@db.example?sslmode=require\"", "aHVudGVyMg==\""] {
            assert_eq!(without_excerpt(&why(line)), "error at line 2 invalid string");
        }
    }
}
