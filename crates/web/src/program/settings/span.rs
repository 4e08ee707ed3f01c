use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A span of time as the configuration writes it: `"30m"`, `"12h"`, `"14d"`, or whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

const ALLOWED: &str = "a duration such as \"30m\", \"12h\" or \"14d\", or whole seconds";

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl From<time::Duration> for Span {
    fn from(duration: time::Duration) -> Self {
        Self(duration.unsigned_abs())
    }
}

impl From<Span> for time::Duration {
    fn from(span: Span) -> Self {
        Self::try_from(span.0).unwrap_or(Self::MAX)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        if let Ok(seconds) = written.trim().parse() {
            return Ok(Self(Duration::from_secs(seconds)));
        }
        humantime::parse_duration(written.trim()).map(Self).map_err(|_| format!("use {ALLOWED}"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(ALLOWED)
            }

            fn visit_str<E: de::Error>(self, written: &str) -> Result<Span, E> {
                written.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Span, E> {
                Ok(Span(Duration::from_secs(seconds)))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Span, E> {
                let seconds = u64::try_from(seconds);
                let seconds = seconds.map_err(|_| E::custom(format!("use {ALLOWED}")))?;
                Ok(Span(Duration::from_secs(seconds)))
            }
        }

        deserializer.deserialize_any(Written)
    }
}

/// Writes the span in the largest unit that divides it, as `FromStr` reads it.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        let millis = self.0.as_millis();
        let fitting = units.into_iter().find(|(_, length)| millis.is_multiple_of(*length));
        match fitting.filter(|_| millis > 0) {
            Some((unit, length)) => write!(f, "{}{unit}", millis / length),
            None if millis == 0 => f.write_str("0s"),
            None => write!(f, "{millis}ms"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_in_the_unit_that_a_person_would_use() {
        for written in ["14d", "12h", "30m", "90s", "90m", "0s", "250ms"] {
            assert_eq!(written.parse::<Span>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn spans_are_read_with_units_and_as_whole_seconds() {
        for (written, seconds) in [
            ("30m", 1_800),
            ("12h", 43_200),
            ("14d", 1_209_600),
            ("90", 90),
            ("0s", 0),
            ("1h 30m", 5_400),
        ] {
            assert_eq!(written.parse::<Span>().unwrap().0.as_secs(), seconds, "{written}");
        }
        for nonsense in ["", "soon", "-5", "1.5", "30 minutes ago", "9999999999999999999d"] {
            assert!(nonsense.parse::<Span>().is_err(), "{nonsense}");
        }
    }
}
