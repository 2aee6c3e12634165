//! Rows of datasets and batches, from CSV, JSON Lines or JSON.

use std::io::Read as _;

use serde_json::{Map, Value};
use sluice_domain::json_limits;

use crate::error::{Problem, ProblemItem, ProblemKind};

/// Maximum number of listed problems of a file.
const MAX_LISTED_ERRORS: usize = 20;

/// Maximum length of a field name in a CSV file, in characters.
const MAX_NAME: usize = 255;

/// Maximum memory of the rows of a CSV file, in bytes, including the overhead per field.
const MAX_TABLE_BYTES: usize = 256 << 20;

const FIELD_BYTES: usize = 100;

/// The rows of a file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// {field: value} of each row.
    pub(crate) rows: Vec<Map<String, Value>>,
    /// True if every value is a string, as in CSV.
    pub(crate) is_text: bool,
}

impl Table {
    /// Reads a file. The extension of its name determines the format.
    pub(crate) fn read(filename: &str, bytes: &[u8], max_rows: usize) -> Result<Self, Problem> {
        let extension = filename.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let table = match extension.as_deref() {
            Some("csv") => csv(bytes, max_rows)?,
            Some("jsonl" | "ndjson") => json_lines(bytes, max_rows)?,
            Some("json") => json(bytes)?,
            _ => {
                let detail = "The file name must end with .csv, .jsonl or .json.";
                return Err(invalid_body(vec![ProblemItem::new("/file", "format", detail)]));
            }
        };
        if table.rows.len() > max_rows {
            return Err(too_many_rows(max_rows));
        }
        if table.rows.is_empty() {
            return Err(invalid_body(vec![ProblemItem::new("/file", "empty", "The file has no rows.")]));
        }
        Ok(table)
    }
}

pub(crate) fn too_many_rows(max_rows: usize) -> Problem {
    Problem::new(
        ProblemKind::TooLarge,
        format!("The file has more than {max_rows} rows. Split it into several batches."),
    )
}

fn invalid_body(errors: Vec<ProblemItem>) -> Problem {
    Problem::invalid(ProblemKind::InvalidBody, errors)
}

fn line_error(line: impl std::fmt::Display, message: impl std::fmt::Display) -> ProblemItem {
    ProblemItem::new("/file", "row", format!("Line {line}: {message}."))
}

/// Appended to a CSV file while the file is read. If the mark is not read as a row of its own, the file has an unclosed
/// quote.
const END_MARK: &str = "\u{1}end";

fn csv(bytes: &[u8], max_rows: usize) -> Result<Table, Problem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut builder = csv::ReaderBuilder::new();
    builder.trim(csv::Trim::Headers);
    let mut reader = builder.from_reader(bytes);
    let names = reader.headers().map_err(|error| invalid_body(vec![record_error(&error)]))?.clone();
    if names.is_empty() {
        return Ok(Table { rows: Vec::new(), is_text: true });
    }
    if let Some(problem) = header_error(&names) {
        return Err(invalid_body(vec![problem]));
    }
    let end = format!("\n{END_MARK}{}\n", ",".repeat(names.len().saturating_sub(1)));
    let mut reader = builder.from_reader(bytes.chain(end.as_bytes()));
    // Each row stores its own copy of the field names.
    let name_bytes = names.as_slice().len() + names.len() * FIELD_BYTES;
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    let (mut size, mut line, mut is_complete) = (0, 1, false);
    for record in reader.records() {
        if rows.len() > max_rows || problems.len() >= MAX_LISTED_ERRORS {
            break;
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                problems.push(record_error(&error));
                continue;
            }
        };
        is_complete = record.get(0) == Some(END_MARK);
        if is_complete {
            break;
        }
        line = record.position().map_or(line, csv::Position::line);
        size += name_bytes + record.as_slice().len();
        if size > MAX_TABLE_BYTES {
            let message =
                format!("the rows up to here exceed {MAX_TABLE_BYTES} bytes; send fewer rows or fields");
            problems.push(line_error(line, message));
            break;
        }
        if record.iter().any(|value| value.contains('\0')) {
            problems.push(line_error(line, "it contains U+0000"));
        } else {
            let fields = names.iter().zip(&record);
            rows.push(fields.map(|(name, value)| (name.to_owned(), Value::from(value))).collect());
        }
    }
    if !is_complete && problems.is_empty() && rows.len() <= max_rows {
        problems.push(line_error(line, "a quote is not closed"));
    }
    if problems.is_empty() { Ok(Table { rows, is_text: true }) } else { Err(invalid_body(problems)) }
}

fn record_error(error: &csv::Error) -> ProblemItem {
    let line = error.position().map_or(1, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields, but the first line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => "it is not CSV".to_owned(),
    };
    line_error(line, message)
}

fn header_error(names: &csv::StringRecord) -> Option<ProblemItem> {
    let mut seen = std::collections::HashSet::new();
    names.iter().find_map(|name| {
        let message = if name.is_empty() {
            "a field has no name".to_owned()
        } else if name.chars().count() > MAX_NAME {
            format!("the name of a field has more than {MAX_NAME} characters")
        } else if !seen.insert(name) {
            format!("the field {name:?} occurs twice")
        } else {
            return None;
        };
        Some(line_error(1, message))
    })
}

fn json_lines(bytes: &[u8], max_rows: usize) -> Result<Table, Problem> {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match json_limits::check_json(line).and_then(|()| serde_json::from_slice::<Value>(line)) {
            Ok(Value::Object(fields)) => rows.push(fields),
            Ok(_) => problems.push(line_error(number, "it is not a JSON object")),
            Err(error) => {
                let text = error.to_string();
                problems.push(line_error(number, text.split(" at line ").next().unwrap_or(&text)));
            }
        }
        if rows.len() > max_rows || problems.len() >= MAX_LISTED_ERRORS {
            break;
        }
    }
    if problems.is_empty() { Ok(Table { rows, is_text: false }) } else { Err(invalid_body(problems)) }
}

fn json(bytes: &[u8]) -> Result<Table, Problem> {
    let read = json_limits::check_json(bytes)
        .and_then(|()| serde_json::from_slice::<Vec<Map<String, Value>>>(bytes));
    let rows = read.map_err(|error| {
        // For JSON of another type, the message of the parser names types of Rust.
        let reason = if error.is_data() { String::new() } else { format!(" Parser error: {error}.") };
        let detail = format!("The file must be a JSON array of objects.{reason}");
        invalid_body(vec![ProblemItem::new("/file", "json", detail)])
    })?;
    Ok(Table { rows, is_text: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows(name: &str, text: &str) -> Result<Value, String> {
        Table::read(name, text.as_bytes(), 3)
            .map(|table| json!(table.rows))
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn all_formats_yield_the_same_rows() {
        let expected = json!([{"a": "1", "b": "x, y"}, {"a": "2", "b": ""}]);
        for (name, text) in [
            ("t.csv", "\u{feff}a, b\n1,\"x, y\"\r\n2,\n"),
            ("t.JSONL", "{\"a\":\"1\",\"b\":\"x, y\"}\n\n{\"a\":\"2\",\"b\":\"\"}"),
            ("t.json", "[{\"a\":\"1\",\"b\":\"x, y\"},{\"a\":\"2\",\"b\":\"\"}]"),
        ] {
            assert_eq!(rows(name, text), Ok(expected.clone()), "{name}");
        }
    }

    #[test]
    fn errors_name_the_line() {
        for (name, text, expected) in [
            ("t.csv", "a,b\n1\n", "Line 2: it has 1 fields, but the first line has 2."),
            ("t.csv", "a,a\n1,2\n", "Line 1: the field \"a\" occurs twice."),
            ("t.csv", "a,\n1,2\n", "Line 1: a field has no name."),
            ("t.jsonl", "{}\n[1]\n", "Line 2: it is not a JSON object."),
            ("t.jsonl", "{}\n{\"a\":1e999}\n", "Line 2:"),
            ("t.csv", "a\n", "The file has no rows"),
            ("t.csv", "", "The file has no rows"),
            ("t.json", "{}", "The file must be a JSON array of objects."),
            ("t.json", "[1]", "The file must be a JSON array of objects."),
            ("t.csv", "a\n1\n\"2\n3\n", "Line 3: a quote is not closed."),
            ("t.txt", "a\n", "must end with"),
            ("t.csv", "a\n1\n2\n3\n4\n", "more than 3 rows"),
        ] {
            let error = rows(name, text).unwrap_err();
            assert!(error.contains(expected), "{name} {text:?}: {error}");
        }
    }
}
