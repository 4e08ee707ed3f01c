//! What is wrong with a number or a duration that the service cannot answer for.

use std::time::Duration;

use countersign_auth::ConfigError;
use serde_json::Value;

use super::error::Found;
use super::keys::Keys;
use super::pace::Pace;
use super::span::Span;
use crate::program::failure::Failure;

/// Says what the service refuses: the key, its value as it was typed, and what is allowed.
pub(super) fn explain(error: ConfigError, found: Found<'_>, keys: &Keys) -> Failure {
    let ConfigError::OutOfRange { key, min, max, .. } = error else { return Failure::new(error) };
    let in_effect = at(keys, key);
    let allowed = match in_effect.as_str() {
        Some(text) if text.parse::<Pace>().is_ok() => {
            format!(
                "use a number and a duration of up to a day, such as {}",
                at(&Keys::default(), key)
            )
        }
        Some(_) => {
            let example = example(key, min, max, |value| {
                value.as_str()?.parse::<Span>().ok().map(|span| span.0.as_secs())
            });
            let [min, max, example] = [min, max, example].map(written);
            format!("use {min:?} to {max:?}, such as {example:?}")
        }
        None => {
            let example = example(key, min, max, Value::as_u64);
            format!("use {min} to {max}, such as {example}")
        }
    };
    found.refuse(key, &in_effect, &allowed)
}

/// Returns the default of a key where it is allowed, or else the least that is.
fn example(key: &str, min: u64, max: u64, number: impl Fn(&Value) -> Option<u64>) -> u64 {
    let default = number(&at(&Keys::default(), key));
    default.filter(|default| (min..=max).contains(default)).unwrap_or(min)
}

fn at(keys: &Keys, key: &str) -> Value {
    let keys = serde_json::to_value(keys).unwrap_or_default();
    keys.pointer(&format!("/{}", key.replace('.', "/"))).cloned().unwrap_or_default()
}

/// Writes seconds as the configuration has them.
fn written(seconds: u64) -> String {
    match seconds {
        0..=60 => format!("{seconds}s"),
        _ => Span(Duration::from_secs(seconds)).to_string(),
    }
}
