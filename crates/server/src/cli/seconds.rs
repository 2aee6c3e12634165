//! Durations on the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest duration, about a thousand years: an `Instant` can hold it.
const MAX_SECONDS: f64 = 3.2e10;

/// A duration in seconds, with or without a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seconds(pub(crate) Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
        if !(0.0..=MAX_SECONDS).contains(&seconds) {
            return Err(format!("must be between 0 and {MAX_SECONDS:e} seconds"));
        }
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints_seconds() {
        for (text, millis) in [("0", 0), ("10", 10_000), ("0.2", 200), ("3600", 3_600_000)] {
            let seconds: Seconds = text.parse().unwrap();
            assert_eq!(seconds.0, Duration::from_millis(millis));
            assert_eq!(seconds.to_string(), text);
        }
        for text in ["", "soon", "-1", "NaN", "inf", "3.3e10"] {
            assert!(text.parse::<Seconds>().is_err(), "{text}");
        }
    }
}
