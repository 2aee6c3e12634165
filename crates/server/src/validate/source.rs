//! Where things stand in a JSON text.

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// A text, its lines counted.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) text: String,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

/// A part of one line of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Its first byte.
    pub(super) start: usize,
    /// The byte after its last.
    pub(super) end: usize,
    /// Its line, from 1.
    pub(super) line: usize,
    /// The column of its first character, from 1.
    pub(super) column: usize,
    /// The column after its last character.
    pub(super) end_column: usize,
    /// The column of its first character, from 1, and the one after its last, in UTF-16 units.
    pub(super) utf16: (usize, usize),
}

/// Where the parts of a JSON text stand.
pub(super) struct Map<'s> {
    source: &'s Source,
    root: Option<Value<'s>>,
}

impl Source {
    /// Counts the lines of a text.
    pub(super) fn new(text: String) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        Self { text, lines }
    }

    /// Parses the text, which has to be JSON.
    pub(super) fn map(&self) -> Map<'_> {
        let parsed = parse_to_ast(&self.text, &CollectOptions::default(), &ParseOptions::default());
        Map { source: self, root: parsed.ok().and_then(|parsed| parsed.value) }
    }

    /// The character at a line, from 1, and a byte of it, as serde_json counts them.
    pub(super) fn at(&self, line: usize, column: usize) -> Place {
        let begin = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let start = (begin + column.saturating_sub(1)).min(self.text.len());
        self.place(start, start + 1)
    }

    /// The part from `start` to `end`, as far as it stands on the first of its lines.
    fn place(&self, start: usize, end: usize) -> Place {
        let start = self.text.floor_char_boundary(start);
        let line = self.lines.partition_point(|begin| *begin <= start).max(1);
        let (begin, line_end) = self.line(line);
        let end = self.text.ceil_char_boundary(end).min(line_end).max(start);
        let before = self.text.get(begin..start).unwrap_or_default();
        let part = self.text.get(start..end).unwrap_or_default();
        let column = before.chars().count() + 1;
        let first = before.encode_utf16().count() + 1;
        let utf16 = (first, first + part.encode_utf16().count());
        Place { start, end, line, column, end_column: column + part.chars().count(), utf16 }
    }

    /// Where a line, from 1, begins and ends, without its break.
    pub(super) fn line(&self, line: usize) -> (usize, usize) {
        let begin = self.lines.get(line - 1).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        // What ends lines on Windows ends them.
        let ends = |line: &str| line.ends_with('\r') && end > begin;
        (begin, end - usize::from(self.text.get(begin..end).is_some_and(ends)))
    }
}

impl Map<'_> {
    /// The place of what a pointer leads to; of what is around it where it isn't there.
    pub(super) fn find(&self, pointer: &str) -> Place {
        self.placed(pointer, shown)
    }

    /// The place of the name of what a pointer leads to.
    pub(super) fn find_name(&self, pointer: &str) -> Place {
        self.placed(pointer, |value, name| name.unwrap_or_else(|| shown(value, name)))
    }

    fn placed(&self, pointer: &str, range: impl Fn(&Value<'_>, Option<Range>) -> Range) -> Place {
        let Some(root) = &self.root else { return self.source.place(0, 1) };
        let (mut value, mut name) = (root, None);
        for step in pointer.split('/').skip(1) {
            let Some((inner, its_name)) = below(value, step) else { break };
            (value, name) = (inner, its_name);
        }
        let range = range(value, name);
        self.source.place(range.start, range.end)
    }
}

/// The value one step below another, and where its name stands.
fn below<'v, 's>(value: &'v Value<'s>, step: &str) -> Option<(&'v Value<'s>, Option<Range>)> {
    match value {
        Value::Object(object) => {
            let step = step.replace("~1", "/").replace("~0", "~");
            let is_it = |property: &&ObjectProp<'_>| property.name.as_str() == step;
            let property = object.properties.iter().find(is_it)?;
            Some((&property.value, Some(property.name.range())))
        }
        Value::Array(list) => Some((list.elements.get(step.parse::<usize>().ok()?)?, None)),
        _ => None,
    }
}

/// What is marked of a value: objects and lists are long, so that their name or their bracket stands for them.
fn shown(value: &Value<'_>, name: Option<Range>) -> Range {
    let range = value.range();
    match value {
        Value::Object(_) | Value::Array(_) => {
            name.unwrap_or(Range { start: range.start, end: range.start + 1 })
        }
        _ => range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_lead_to_lines_and_columns() {
        let text = "{\n  \"nödes\": [{\"id\": \"a\"}, 7],\n  \"a/b\": {\"c\": [1]}\n}";
        let source = Source::new(text.to_owned());
        let map = source.map();
        for (pointer, line, column, part) in [
            ("", 1, 1, "{"),
            ("/nödes", 2, 3, "\"nödes\""),
            ("/nödes/0", 2, 13, "{"),
            ("/nödes/0/id", 2, 20, "\"a\""),
            ("/nödes/1", 2, 26, "7"),
            ("/a~1b/c/0", 3, 17, "1"),
            ("/a~1b/nothing/there", 3, 3, "\"a/b\""),
        ] {
            let place = map.find(pointer);
            assert_eq!((place.line, place.column), (line, column), "{pointer}");
            assert_eq!(&text[place.start..place.end], part, "{pointer}");
        }
        assert_eq!(source.at(2, 5).line, 2);
        assert_eq!(source.at(99, 1).start, text.len());
        assert_eq!(
            Source::new(String::new()).at(1, 0),
            Place { line: 1, column: 1, end_column: 1, utf16: (1, 1), ..Place::default() }
        );
    }

    #[test]
    fn columns_are_counted_in_characters_and_in_utf_16() {
        let text = "{\"👍🏽 宽\": {\"key\": 7},\r\n\"b\": \"x\"\r\n}";
        let source = Source::new(text.to_owned());
        let place = source.map().find_name("/👍🏽 宽/key");
        assert_eq!(&text[place.start..place.end], "\"key\"");
        assert_eq!((place.line, place.column, place.end_column, place.utf16), (1, 11, 16, (13, 18)));
        let value = source.map().find("/👍🏽 宽/key");
        assert_eq!((&text[value.start..value.end], value.column), ("7", 18));
        // The break of a line belongs to no line.
        let (begin, end) = source.line(1);
        assert_eq!(&text[begin..end], "{\"👍🏽 宽\": {\"key\": 7},");
        let (begin, end) = source.line(3);
        assert_eq!(&text[begin..end], "}");
        assert_eq!(source.at(2, 9).line, 2);
    }
}
