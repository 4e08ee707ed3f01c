//! What is wrong with a configuration, in one line: the key, its value, what is allowed, and where
//! it was set.

use std::collections::BTreeMap;

use rocket::figment::error::Kind;
use rocket::figment::value::Value;
use rocket::figment::{Error, Figment, Source};

use super::failure::Failure;

/// Rocket's keys, and ours.
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

/// Refuses a key that neither Rocket nor we know: it is most likely misspelt.
pub(crate) fn check_top_level_keys(figment: &Figment) -> Result<(), Failure> {
    if figment.profiles().any(|profile| profile == "countersign") {
        return Err(Failure::new(
            "the table [countersign] is read as a profile of that name: write [default.countersign]",
        ));
    }
    let all: BTreeMap<String, Value> = figment.extract().map_err(|e| explain(e, figment))?;
    if all.contains_key("tls") {
        return Err(Failure::new(
            "tls is not a key: this program speaks no TLS. Put a reverse proxy in front of it, and \
             set public_url to the https address",
        ));
    }
    match all.iter().find(|(key, _)| !TOP_LEVEL.contains(&key.as_str())) {
        Some((key, value)) => Err(Failure::new(format!(
            "{key} = {} is not a key: known are {}",
            shown(key, value),
            TOP_LEVEL.join(", "),
        ))),
        None => Ok(()),
    }
}

/// Says what an error of the configuration library means.
pub(crate) fn explain(error: Error, figment: &Figment) -> Failure {
    // It collects several; the first one that is mended brings up the next.
    let Some(error) = error.into_iter().next() else {
        return Failure::new("the configuration cannot be read");
    };
    let path = &error.path;
    let full_key = path.join(".");
    let value = figment.find_value(&full_key).ok();
    let own_path = path.strip_prefix(&["countersign".to_owned()]).unwrap_or(path);
    let key = own_path.join(".");
    let assignment = |value: Option<&Value>| match value {
        Some(value) => format!("{key} = {}", shown(&key, value)),
        None => key.clone(),
    };
    let what = match &error.kind {
        Kind::UnknownField(field, known) => {
            // The path ends in the field itself.
            let table = own_path.split_last().map_or(&[][..], |(_, table)| table);
            let written = |key: &str| {
                table.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".")
            };
            let known = known.iter().map(|known| written(known)).collect::<Vec<_>>().join(", ");
            let value = value.map(|value| format!(" = {}", shown(field, &value)));
            let (key, value) = (written(field), value.unwrap_or_default());
            format!("{key}{value} is not a key: known are {known}")
        }
        Kind::UnknownVariant(_, known) => {
            format!("{} is not allowed: use {}", assignment(value.as_ref()), known.join(" or "))
        }
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            let allowed = in_words(expected);
            format!("{} is not allowed: use {allowed}", assignment(value.as_ref()))
        }
        Kind::Message(allowed) if !key.is_empty() => {
            format!("{} is not allowed: {allowed}", assignment(value.as_ref()))
        }
        other => format!("{}: {other}", assignment(value.as_ref())),
    };
    Failure::new(match origin(&error) {
        Some(origin) => format!("{what} ({origin})"),
        None => what,
    })
}

/// What is expected, where the library knows it by the name of a type alone.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "enum RegistrationKey" => "open or closed",
        "enum ProtectionKey" => "off, basic or strong",
        table if table.starts_with("struct ") => "a table of keys",
        other => other,
    }
}

fn origin(error: &Error) -> Option<String> {
    let metadata = error.metadata.as_ref()?;
    match &metadata.source {
        Some(Source::File(path)) => Some(format!("in {}", path.display())),
        _ if metadata.name.contains("environment") => Some("in the environment".to_owned()),
        _ => None,
    }
}

/// A value as it would be written, unless it may hold a secret.
fn shown(key: &str, value: &Value) -> String {
    let may_be_secret =
        ["secret_key", "tls", "database_url"].iter().any(|name| key.ends_with(name));
    if may_be_secret {
        return "(hidden)".to_owned();
    }
    serde_json::to_string(value).unwrap_or_else(|_| "(unreadable)".to_owned())
}
