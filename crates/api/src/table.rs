//! Rows of datasets and batches, from CSV, JSON Lines or JSON.

use std::io::Read as _;

use serde_json::{Map, Value};
use sluice_domain::json_limits;

use crate::problem::{Kind, Problem, ProblemItem};

/// How many problems of a file are listed.
const LISTED: usize = 20;
/// The longest name of a field of a CSV file, in characters.
const MAX_NAME: usize = 255;
/// How much memory the rows of a CSV file take at most, and what a field takes beside its name and its value.
const MAX_TABLE_BYTES: usize = 256 << 20;
const FIELD_BYTES: usize = 100;

/// What a file holds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// {field: value} of each row.
    pub(crate) rows: Vec<Map<String, Value>>,
    /// Whether every value is a text.
    pub(crate) is_text: bool,
}

impl Table {
    /// Reads a file: what it is, its name tells.
    pub(crate) fn read(filename: &str, bytes: &[u8], max_rows: usize) -> Result<Self, Problem> {
        let extension = filename.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let table = match extension.as_deref() {
            Some("csv") => csv(bytes, max_rows)?,
            Some("jsonl" | "ndjson") => json_lines(bytes, max_rows)?,
            Some("json") => json(bytes)?,
            _ => {
                let detail =
                    "The name of the file must end with .csv, .jsonl or .json: it tells what is in it.";
                return Err(refused(vec![ProblemItem::new("/file", "format", detail)]));
            }
        };
        if table.rows.len() > max_rows {
            return Err(too_many(max_rows));
        }
        if table.rows.is_empty() {
            return Err(refused(vec![ProblemItem::new("/file", "empty", "There are no rows in the file.")]));
        }
        Ok(table)
    }
}

pub(crate) fn too_many(max_rows: usize) -> Problem {
    Problem::new(
        Kind::TooLarge,
        format!("There are more than {max_rows} rows. Send them in several batches."),
    )
}

fn refused(errors: Vec<ProblemItem>) -> Problem {
    Problem::invalid(Kind::InvalidBody, errors)
}

fn at_line(line: impl std::fmt::Display, what: impl std::fmt::Display) -> ProblemItem {
    ProblemItem::new("/file", "row", format!("Line {line}: {what}."))
}

/// Stands behind the last row of a CSV file while it is read: a quote that is never closed swallows it.
const END: &str = "\u{1}end";

fn csv(bytes: &[u8], max_rows: usize) -> Result<Table, Problem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut builder = csv::ReaderBuilder::new();
    builder.trim(csv::Trim::Headers);
    let mut reader = builder.from_reader(bytes);
    let names = reader.headers().map_err(|error| refused(vec![unreadable(&error)]))?.clone();
    if names.is_empty() {
        return Ok(Table { rows: Vec::new(), is_text: true });
    }
    if let Some(problem) = bad_names(&names) {
        return Err(refused(vec![problem]));
    }
    let end = format!("\n{END}{}\n", ",".repeat(names.len().saturating_sub(1)));
    let mut reader = builder.from_reader(bytes.chain(end.as_bytes()));
    // Each row has the names for itself.
    let of_names = names.as_slice().len() + names.len() * FIELD_BYTES;
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    let (mut taken, mut line, mut is_closed) = (0, 1, false);
    for record in reader.records() {
        if rows.len() > max_rows || problems.len() >= LISTED {
            break;
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                problems.push(unreadable(&error));
                continue;
            }
        };
        is_closed = record.get(0) == Some(END);
        if is_closed {
            break;
        }
        line = record.position().map_or(line, csv::Position::line);
        taken += of_names + record.as_slice().len();
        if taken > MAX_TABLE_BYTES {
            let what = format!(
                "the rows until here take more than {MAX_TABLE_BYTES} bytes: send fewer, or fewer fields"
            );
            problems.push(at_line(line, what));
            break;
        }
        if record.iter().any(|value| value.contains('\0')) {
            problems.push(at_line(line, "it holds U+0000"));
        } else {
            let fields = names.iter().zip(&record);
            rows.push(fields.map(|(name, value)| (name.to_owned(), Value::from(value))).collect());
        }
    }
    if !is_closed && problems.is_empty() && rows.len() <= max_rows {
        problems.push(at_line(line, "a quote is opened and never closed"));
    }
    if problems.is_empty() { Ok(Table { rows, is_text: true }) } else { Err(refused(problems)) }
}

fn unreadable(error: &csv::Error) -> ProblemItem {
    let line = error.position().map_or(1, csv::Position::line);
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields, and the first line names {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => "it is no CSV".to_owned(),
    };
    at_line(line, what)
}

fn bad_names(names: &csv::StringRecord) -> Option<ProblemItem> {
    let mut seen = std::collections::HashSet::new();
    names.iter().find_map(|name| {
        let what = if name.is_empty() {
            "a field has no name".to_owned()
        } else if name.chars().count() > MAX_NAME {
            format!("the name of a field has more than {MAX_NAME} characters")
        } else if !seen.insert(name) {
            format!("the field {name:?} is named twice")
        } else {
            return None;
        };
        Some(at_line(1, what))
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
            Ok(_) => problems.push(at_line(number, "it is no JSON object")),
            Err(error) => {
                let text = error.to_string();
                problems.push(at_line(number, text.split(" at line ").next().unwrap_or(&text)));
            }
        }
        if rows.len() > max_rows || problems.len() >= LISTED {
            break;
        }
    }
    if problems.is_empty() { Ok(Table { rows, is_text: false }) } else { Err(refused(problems)) }
}

fn json(bytes: &[u8]) -> Result<Table, Problem> {
    let read = json_limits::check_json(bytes)
        .and_then(|()| serde_json::from_slice::<Vec<Map<String, Value>>>(bytes));
    let rows = read.map_err(|error| {
        // What is JSON, and something else, the parser tells in words of its own.
        let why = if error.is_data() { String::new() } else { format!(" It is none: {error}.") };
        let detail = format!("The file must be a JSON list of objects.{why}");
        refused(vec![ProblemItem::new("/file", "json", detail)])
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
    fn every_form_gives_the_same_rows() {
        let wanted = json!([{"a": "1", "b": "x, y"}, {"a": "2", "b": ""}]);
        for (name, text) in [
            ("t.csv", "\u{feff}a, b\n1,\"x, y\"\r\n2,\n"),
            ("t.JSONL", "{\"a\":\"1\",\"b\":\"x, y\"}\n\n{\"a\":\"2\",\"b\":\"\"}"),
            ("t.json", "[{\"a\":\"1\",\"b\":\"x, y\"},{\"a\":\"2\",\"b\":\"\"}]"),
        ] {
            assert_eq!(rows(name, text), Ok(wanted.clone()), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (name, text, wanted) in [
            ("t.csv", "a,b\n1\n", "Line 2: it has 1 fields, and the first line names 2."),
            ("t.csv", "a,a\n1,2\n", "Line 1: the field \"a\" is named twice."),
            ("t.csv", "a,\n1,2\n", "Line 1: a field has no name."),
            ("t.jsonl", "{}\n[1]\n", "Line 2: it is no JSON object."),
            ("t.jsonl", "{}\n{\"a\":1e999}\n", "Line 2:"),
            ("t.csv", "a\n", "There are no rows"),
            ("t.csv", "", "There are no rows"),
            ("t.json", "{}", "The file must be a JSON list of objects."),
            ("t.json", "[1]", "The file must be a JSON list of objects."),
            ("t.csv", "a\n1\n\"2\n3\n", "Line 3: a quote is opened and never closed."),
            ("t.txt", "a\n", "must end with"),
            ("t.csv", "a\n1\n2\n3\n4\n", "more than 3 rows"),
        ] {
            let said = rows(name, text).unwrap_err();
            assert!(said.contains(wanted), "{name} {text:?}: {said}");
        }
    }
}
