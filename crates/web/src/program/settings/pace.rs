use std::fmt;
use std::str::FromStr;

use countersign_domain::throttle::Rate;
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use super::span::Span;

/// A number of tries in a span of time, as the configuration writes it: `"5/5m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace(pub(crate) Rate);

const ALLOWED: &str = "use a number and a duration with a slash between them, such as \"10/1m\"";

impl From<Rate> for Pace {
    fn from(rate: Rate) -> Self {
        Self(rate)
    }
}

impl From<Pace> for Rate {
    fn from(pace: Pace) -> Self {
        pace.0
    }
}

impl FromStr for Pace {
    type Err = &'static str;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let (tries, period) = written.split_once('/').ok_or(ALLOWED)?;
        let tries = tries.trim().parse().map_err(|_| ALLOWED)?;
        let period = period.parse::<Span>().map_err(|_| ALLOWED)?.0;
        let period = time::Duration::try_from(period).map_err(|_| ALLOWED)?;
        Ok(Self(Rate { tries, period }))
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.tries, Span::from(self.0.period))
    }
}

impl<'de> Deserialize<'de> for Pace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Pace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_number_and_a_duration() {
        for written in ["5/5m", "30/1m", "1200/1h", "3/90s"] {
            assert_eq!(written.parse::<Pace>().unwrap().to_string(), written);
        }
        let seconds = "7 / 60".parse::<Pace>().unwrap().0;
        assert_eq!((seconds.tries, seconds.period.whole_seconds()), (7, 60));
        for nonsense in ["", "5", "5/", "/5m", "-1/5m", "5/5m/5m", "5 in 5m", "99999999999/1m"] {
            assert_eq!(nonsense.parse::<Pace>(), Err(ALLOWED), "{nonsense}");
        }
    }
}
