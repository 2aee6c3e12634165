//! From the text of a request or a file to its diagnostics.

use serde_path_to_error::Segment;

use super::{Catalog, Code, Diagnostic, pointer_step};
use crate::guard;
use crate::transfer::{self, Form};

/// Everything that is wrong, or looks wrong, with the definition that `text` holds: by itself, or in the
/// field `definition` of an object, as in the body of a create request, or as an exported document. Pointers lead into
/// `text`.
#[must_use]
pub fn diagnose_json(text: &[u8], catalog: &dyn Catalog) -> Vec<Diagnostic> {
    if text.starts_with(b"\xef\xbb\xbf") {
        let message = "The text begins with a byte order mark, which JSON doesn't have. Save it without one.";
        return vec![Diagnostic::new(Code::JsonSyntax, "", message)];
    }
    if let Err(error) = check_text(text) {
        return vec![refused(text, &error)];
    }
    match transfer::read(std::str::from_utf8(text).unwrap_or_default()) {
        Ok(incoming) => incoming.diagnose(catalog),
        Err(misfit) => vec![*misfit],
    }
}

/// Whether a text is JSON that can be taken: an exported document may be deeper than what it holds.
///
/// # Errors
/// Where it can't, with line and column, as [`guard::check_json`] says.
pub fn check_text(text: &[u8]) -> Result<(), serde_json::Error> {
    match transfer::form(std::str::from_utf8(text).unwrap_or_default()) {
        Some(Form::Document) => guard::check_documents(text),
        _ => guard::check_json(text),
    }
}

/// A text that is no JSON, or JSON that no store keeps.
fn refused(text: &[u8], error: &serde_json::Error) -> Diagnostic {
    let place = format!("line {}, column {}", error.line(), column(text, error));
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    let (code, message) = match guard::refusal(error) {
        None => (Code::JsonSyntax, format!("This is not JSON: {reason} ({place}). Correct the text there.")),
        Some(guard::Refusal::TooDeep) => {
            (Code::JsonTooDeep, format!("This JSON can't be taken: {reason} ({place}). Flatten it."))
        }
        Some(guard::Refusal::Unfit) => {
            (Code::JsonRefused, format!("This JSON can't be taken: {reason} ({place}). Change it there."))
        }
    };
    Diagnostic::new(code, "", message)
}

/// The column of an error in characters, as people count them; the parser counts bytes.
fn column(text: &[u8], error: &serde_json::Error) -> usize {
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let before = line.get(..error.column().saturating_sub(1)).unwrap_or(line);
    String::from_utf8_lossy(before).chars().count() + 1
}

/// A part of a workflow, or where the text has another form.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, Box<Diagnostic>> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer: String = error.path().iter().filter_map(step).collect();
        let text = error.inner().to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text);
        let message = format!("This doesn't fit: {reason}. Compare it with docs/workflows.md.");
        Box::new(Diagnostic::new(Code::ShapeInvalid, pointer, message))
    })
}

fn step(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } => Some(format!("/{}", pointer_step(key))),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}
