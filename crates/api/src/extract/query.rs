//! Query parameters. All invalid parameters of a request are reported together.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sluice_domain::naming::{LABEL_FORM, RESERVED_LABELS, is_valid_label};
use sluice_persistence::{Pin, Search};

use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::state::AppState;
use crate::timestamp;

/// Maximum page number.
pub(crate) const MAX_PAGE: u64 = 1_000_000_000;

/// The maximum length of a short text in a query, in characters.
pub(crate) const MAX_TEXT: usize = 64;

/// The maximum length of a cursor. The cursor of the longest name is shorter.
const MAX_CURSOR: usize = 2_048;

/// The query of a request, parsed and validated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// A type that is read from the parameters of a query.
pub(crate) trait FromQuery: Sized {
    /// Reads the parameters. `reader` collects their problems.
    fn from_query(reader: &mut QueryReader) -> Self;
}

impl<T: FromQuery> FromRequestParts<AppState> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let pairs = pairs.map_err(|_| {
            Problem::new(
                ProblemKind::InvalidQuery,
                "The query is malformed. Write it as name=value&name=value, percent-encoded.",
            )
        })?;
        let page_sizes = (state.settings.max_page_size, state.settings.default_page_size());
        let mut reader = QueryReader { pairs: pairs.0, errors: Vec::new(), page_sizes };
        let query = T::from_query(&mut reader);
        if reader.errors.is_empty() {
            Ok(Self(query))
        } else {
            Err(Problem::invalid(ProblemKind::InvalidQuery, reader.errors))
        }
    }
}

/// Reads parameters one by one and collects their problems, so that all are reported together.
#[derive(Debug, Default)]
pub(crate) struct QueryReader {
    pairs: Vec<(String, String)>,
    errors: Vec<ProblemItem>,
    /// Maximum and default number of items per page.
    page_sizes: (u64, u64),
}

impl QueryReader {
    /// Parses a parameter, or reports that it must be `expected`. If it is repeated, the last value is used.
    fn parse<T>(
        &mut self,
        name: &str,
        code: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (_, value) = self.pairs.iter().rev().find(|(key, _)| key == name)?;
        let parsed = parse(value);
        if parsed.is_none() {
            let (shown, count) = (value.chars().take(MAX_TEXT).collect::<String>(), value.chars().count());
            let more = if count > MAX_TEXT { format!("…, {count} characters") } else { String::new() };
            let detail = format!("{name} must be {expected}, got {shown:?}{more}.");
            self.errors.push(ProblemItem::new(format!("/{name}"), code, detail));
        }
        parsed
    }

    /// Reads the number of items per page.
    pub(crate) fn page_size(&mut self) -> u64 {
        let (max, default) = self.page_sizes;
        self.number("page_size", max, default)
    }

    /// Reads a whole number from 1 to `max`.
    pub(crate) fn number(&mut self, name: &str, max: u64, default: u64) -> u64 {
        let value = self.parse(name, "type", "a whole number", |text| text.trim().parse::<i128>().ok());
        let Some(value) = value else { return default };
        if let Some(valid) = u64::try_from(value).ok().filter(|value| (1..=max).contains(value)) {
            return valid;
        }
        let detail = format!("{name} must be between 1 and {max}, got {value}.");
        self.errors.push(ProblemItem::new(format!("/{name}"), "range", detail));
        default
    }

    /// Reads a number of seconds from 0 to `max`.
    pub(crate) fn seconds(&mut self, name: &str, max: f64) -> Option<f64> {
        let expected = format!("a number of seconds between 0 and {max}");
        self.parse(name, "range", &expected, |text| {
            text.trim().parse::<f64>().ok().filter(|seconds| (0.0..=max).contains(seconds))
        })
    }

    /// Reads `true` or `false`.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> bool {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        };
        self.parse(name, "type", "true or false", parse).unwrap_or(default)
    }

    /// Reads a time.
    pub(crate) fn time(&mut self, name: &str) -> Option<DateTime<Utc>> {
        self.parse(
            name,
            "format",
            "a time such as 2026-11-23T21:35:02Z or a date such as 2026-11-23",
            timestamp::parse,
        )
    }

    /// Reads one of these words.
    pub(crate) fn choice(
        &mut self,
        name: &str,
        words: &[&'static str],
        default: &'static str,
    ) -> &'static str {
        let expected = format!("one of {}", words.join(", "));
        let parse = |text: &str| words.iter().copied().find(|word| *word == text);
        self.parse(name, "enum", &expected, parse).unwrap_or(default)
    }

    /// Reads a cursor. `parse` parses its decoded content.
    pub(crate) fn cursor<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let expected = "the X-Next-Cursor of a page with the same sort";
        self.parse(name, "cursor", expected, |text| {
            let bytes = (text.len() <= MAX_CURSOR).then(|| BASE64_URL_SAFE_NO_PAD.decode(text))?.ok()?;
            parse(std::str::from_utf8(&bytes).ok()?)
        })
    }

    /// Reads the words of a search.
    pub(crate) fn search(&mut self, name: &str) -> Option<Search> {
        let text = self.text(name)?;
        let search = Search::new(&text);
        if search.is_none() {
            self.reject(
                name,
                "words",
                &format!("{name} must have 1 to 8 different words of letters or digits."),
            );
        }
        search
    }

    /// Reports a problem of a parameter.
    pub(crate) fn reject(&mut self, name: &str, code: &str, detail: &str) {
        self.errors.push(ProblemItem::new(format!("/{name}"), code, detail));
    }

    /// Reads one of the words that `words` lists.
    pub(crate) fn one_of<T: std::str::FromStr>(&mut self, name: &str, words: &str) -> Option<T> {
        self.parse(name, "enum", &format!("one of {words}"), |text| text.parse().ok())
    }

    /// Reads a version: a number, `draft`, `latest` or a label.
    pub(crate) fn pin(&mut self, name: &str) -> Option<Pin> {
        self.parse(
            name,
            "format",
            "a number from 1, a label, `latest` or `draft`",
            crate::extract::path::parse_pin,
        )
    }

    /// Reads the name of a label.
    pub(crate) fn label(&mut self, name: &str) -> Option<String> {
        let [draft, latest] = RESERVED_LABELS;
        let expected = format!("a label of {}, but not `{draft}` or `{latest}`", *LABEL_FORM);
        self.parse(name, "format", &expected, |text| is_valid_label(text).then(|| text.to_owned()))
    }

    /// Reports two parameters that exclude each other.
    pub(crate) fn conflict(&mut self, name: &str, other: &str) {
        let detail = format!("{name} and {other} can't be combined. Send one of them.");
        self.errors.push(ProblemItem::new(format!("/{name}"), "conflict", detail));
    }

    /// Reads a text like [`Self::text_up_to`], but it may be empty.
    pub(crate) fn text_or_empty(&mut self, max: usize, name: &str) -> Option<String> {
        let is_empty =
            self.pairs.iter().rev().find(|(key, _)| key == name).is_some_and(|(_, text)| text.is_empty());
        if is_empty { Some(String::new()) } else { self.text_up_to(max, name) }
    }

    /// Reads a short text without control characters.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.text_up_to(MAX_TEXT, name)
    }

    /// Reads a text of at most `max` characters.
    pub(crate) fn text_up_to(&mut self, max: usize, name: &str) -> Option<String> {
        let expected = format!("1 to {max} characters without control characters");
        self.parse(name, "length", &expected, |text| {
            let is_valid = (1..=max).contains(&text.chars().count()) && !text.contains(char::is_control);
            is_valid.then(|| text.to_owned())
        })
    }
}

#[cfg(test)]
impl QueryReader {
    /// Returns a reader of a query without escapes.
    pub(crate) fn from_text(query: &str) -> Self {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self { pairs: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(), ..Self::default() }
    }

    /// Returns true if no error was found.
    pub(crate) fn has_no_errors(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Reads the parameters of two types from one query.
impl<A: FromQuery, B: FromQuery> FromQuery for (A, B) {
    fn from_query(reader: &mut QueryReader) -> Self {
        (A::from_query(reader), B::from_query(reader))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(pairs: &[(&str, &str)]) -> QueryReader {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        QueryReader { pairs, errors: Vec::new(), page_sizes: (100, 10) }
    }

    #[test]
    fn all_problems_are_collected() {
        let mut query =
            reader(&[("page", "0"), ("page_size", "abc"), ("start_date", "x"), ("parent_only", "maybe")]);
        assert_eq!((query.number("page", MAX_PAGE, 1), query.number("page_size", 100, 10)), (1, 10));
        query.time("start_date");
        query.flag("parent_only", true);
        let errors: Vec<_> =
            query.errors.iter().map(|item| (item.pointer.as_str(), item.code.as_str())).collect();
        let expected =
            [("/page", "range"), ("/page_size", "type"), ("/start_date", "format"), ("/parent_only", "type")];
        assert_eq!(errors, expected);
    }

    #[test]
    fn bounds_are_inclusive() {
        for (text, is_valid) in
            [("1", true), ("100", true), ("101", false), ("-1", false), ("99999999999999999999", false)]
        {
            let mut query = reader(&[("page_size", text)]);
            query.number("page_size", 100, 10);
            assert_eq!(query.errors.is_empty(), is_valid, "{text}");
        }
    }
}
