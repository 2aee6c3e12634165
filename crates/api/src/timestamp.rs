//! Timestamps in requests and responses.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

/// A time in responses: RFC 3339, UTC with `Z`, with microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timestamp(pub(crate) DateTime<Utc>);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// Parses a time of a request (RFC 3339). The default offset is UTC. A date means 00:00 on that day.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    // An unescaped `+` of an offset arrives as a space.
    let text = text.trim().replacen(' ', if text.contains(['T', 't']) { "+" } else { "T" }, 1);
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        return Some(time.with_timezone(&Utc));
    }
    if let Ok(time) = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f") {
        return Some(time.and_utc());
    }
    let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?;
    Some(date.and_time(NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format_parsed(text: &str) -> Option<String> {
        let time = Timestamp(parse(text)?);
        Some(serde_json::to_string(&time).unwrap().replace('"', ""))
    }

    #[test]
    fn parses_times_in_all_forms() {
        let same = Some("2026-11-23T21:35:02.500000Z".to_owned());
        for text in [
            "2026-11-23T21:35:02.5Z",
            "2026-11-23T21:35:02.500",
            "2026-11-23 21:35:02.5",
            "2026-11-23T22:35:02.5+01:00",
            "2026-11-23T22:35:02.5 01:00",
        ] {
            assert_eq!(format_parsed(text), same, "{text}");
        }
        assert_eq!(format_parsed("2026-11-23").as_deref(), Some("2026-11-23T00:00:00.000000Z"));
        assert_eq!(format_parsed("2026-11-23T21:35:02").as_deref(), Some("2026-11-23T21:35:02.000000Z"));
    }

    #[test]
    fn rejects_invalid_times() {
        for text in ["", "abc", "2026-13-01", "2026-11-23T25:00:00", "1700000000", "yesterday", "2026-11-23T"]
        {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
