//! Locations in a JSON text.

use std::ops::Range;

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::{Range as JsonRange, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use sluice_domain::validation::pointer_steps;

/// A text and the offsets of its lines.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) text: String,
    /// The offset of the first byte of each line.
    line_starts: Vec<usize>,
}

/// A part of one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// The offset of the first byte.
    pub(super) start: usize,
    /// The offset after the last byte.
    pub(super) end: usize,
    /// The line, from 1.
    pub(super) line: usize,
    /// The column of the first character, from 1.
    pub(super) column: usize,
    /// The column after the last character.
    pub(super) end_column: usize,
    /// `column` in UTF-16 code units.
    pub(super) utf16_column: usize,
    /// `end_column` in UTF-16 code units.
    pub(super) utf16_end_column: usize,
}

impl Source {
    pub(super) fn new(text: String) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Self { text, line_starts }
    }

    /// Parses the text, which must be JSON.
    pub(super) fn parse(&self) -> Tree<'_> {
        let parsed = parse_to_ast(&self.text, &CollectOptions::default(), &ParseOptions::default());
        Tree { source: self, root: parsed.ok().and_then(|parsed| parsed.value) }
    }

    /// Returns the span of the character at a line and a byte of the line, both counted from 1 as in errors of
    /// serde_json.
    pub(super) fn span_at(&self, line: usize, byte: usize) -> Span {
        let line_start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let start = (line_start + byte.saturating_sub(1)).min(self.text.len());
        self.span(start, start + 1)
    }

    /// Returns the span from `start` to `end`, which ends at the end of the first line.
    fn span(&self, start: usize, end: usize) -> Span {
        let start = self.text.floor_char_boundary(start);
        let number = self.line_starts.partition_point(|line| *line <= start).max(1);
        let line = self.line(number);
        let end = self.text.ceil_char_boundary(end).min(line.end).max(start);
        let before = self.text.get(line.start..start).unwrap_or_default();
        let part = self.text.get(start..end).unwrap_or_default();
        let column = before.chars().count() + 1;
        let utf16_column = before.encode_utf16().count() + 1;
        Span {
            start,
            end,
            line: number,
            column,
            end_column: column + part.chars().count(),
            utf16_column,
            utf16_end_column: utf16_column + part.encode_utf16().count(),
        }
    }

    /// Returns the offsets of a line without its line break. Lines are numbered from 1.
    pub(super) fn line(&self, number: usize) -> Range<usize> {
        let start = self.line_starts.get(number - 1).copied().unwrap_or(self.text.len());
        let end = self.line_starts.get(number).map_or(self.text.len(), |next| next - 1);
        let has_carriage_return = self.text.get(start..end).is_some_and(|line| line.ends_with('\r'));
        start..end - usize::from(has_carriage_return)
    }
}

/// A parsed text.
pub(super) struct Tree<'s> {
    source: &'s Source,
    root: Option<Value<'s>>,
}

impl Tree<'_> {
    /// Returns the span of the value at a pointer, or of its closest ancestor that exists.
    pub(super) fn value_span(&self, pointer: &str) -> Span {
        self.locate(pointer, visible_range)
    }

    /// Returns the span of the key of the value at a pointer.
    pub(super) fn key_span(&self, pointer: &str) -> Span {
        self.locate(pointer, |value, key| key.unwrap_or_else(|| visible_range(value, key)))
    }

    fn locate(&self, pointer: &str, range: impl Fn(&Value<'_>, Option<JsonRange>) -> JsonRange) -> Span {
        let Some(root) = &self.root else { return self.source.span(0, 1) };
        let (mut value, mut key) = (root, None);
        for step in pointer_steps(pointer) {
            let Some(child) = child(value, &step) else { break };
            (value, key) = (child.value, child.key);
        }
        let range = range(value, key);
        self.source.span(range.start, range.end)
    }
}

struct Child<'v, 's> {
    value: &'v Value<'s>,
    /// The range of the key, for a member of an object.
    key: Option<JsonRange>,
}

/// Follows one step of a JSON pointer.
fn child<'v, 's>(value: &'v Value<'s>, step: &str) -> Option<Child<'v, 's>> {
    match value {
        Value::Object(object) => {
            let has_name = |property: &&ObjectProp<'_>| property.name.as_str() == step;
            let property = object.properties.iter().find(has_name)?;
            Some(Child { value: &property.value, key: Some(property.name.range()) })
        }
        Value::Array(array) => {
            let value = array.elements.get(step.parse::<usize>().ok()?)?;
            Some(Child { value, key: None })
        }
        _ => None,
    }
}

/// Returns the range to mark. For objects and arrays, which are long, this is the key or the opening bracket.
fn visible_range(value: &Value<'_>, key: Option<JsonRange>) -> JsonRange {
    let range = value.range();
    match value {
        Value::Object(_) | Value::Array(_) => {
            key.unwrap_or(JsonRange { start: range.start, end: range.start + 1 })
        }
        _ => range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_lines_and_columns_of_pointers() {
        let text = "{\n  \"nödes\": [{\"id\": \"a\"}, 7],\n  \"a/b\": {\"c\": [1]}\n}";
        let source = Source::new(text.to_owned());
        let tree = source.parse();
        for (pointer, line, column, part) in [
            ("", 1, 1, "{"),
            ("/nödes", 2, 3, "\"nödes\""),
            ("/nödes/0", 2, 13, "{"),
            ("/nödes/0/id", 2, 20, "\"a\""),
            ("/nödes/1", 2, 26, "7"),
            ("/a~1b/c/0", 3, 17, "1"),
            ("/a~1b/nothing/there", 3, 3, "\"a/b\""),
        ] {
            let span = tree.value_span(pointer);
            assert_eq!((span.line, span.column), (line, column), "{pointer}");
            assert_eq!(&text[span.start..span.end], part, "{pointer}");
        }
        assert_eq!(source.span_at(2, 5).line, 2);
        assert_eq!(source.span_at(99, 1).start, text.len());
        let empty = Source::new(String::new()).span_at(1, 0);
        let expected = Span {
            line: 1,
            column: 1,
            end_column: 1,
            utf16_column: 1,
            utf16_end_column: 1,
            ..Span::default()
        };
        assert_eq!(empty, expected);
    }

    #[test]
    fn counts_columns_in_characters_and_in_utf16() {
        let text = "{\"👍🏽 宽\": {\"key\": 7},\r\n\"b\": \"x\"\r\n}";
        let source = Source::new(text.to_owned());
        let key = source.parse().key_span("/👍🏽 宽/key");
        assert_eq!(&text[key.start..key.end], "\"key\"");
        assert_eq!((key.line, key.column, key.end_column), (1, 11, 16));
        assert_eq!((key.utf16_column, key.utf16_end_column), (13, 18));
        let value = source.parse().value_span("/👍🏽 宽/key");
        assert_eq!((&text[value.start..value.end], value.column), ("7", 18));
    }

    #[test]
    fn lines_exclude_their_line_break() {
        let text = "{\"👍🏽 宽\": {\"key\": 7},\r\n\"b\": \"x\"\r\n}";
        let source = Source::new(text.to_owned());
        assert_eq!(&text[source.line(1)], "{\"👍🏽 宽\": {\"key\": 7},");
        assert_eq!(&text[source.line(3)], "}");
        assert_eq!(source.span_at(2, 9).line, 2);
    }
}
