use super::{ImportForm, detect_form, parse_document};
use crate::json_limits::{self, Violation};
use crate::validation::{Catalog, Code, Diagnostic};

/// Finds the errors, warnings and hints of a workflow in a JSON text: a definition, an object with a field `definition`
/// (as in a create request), or an exported document. Pointers lead into `text`.
#[must_use]
pub fn diagnose_json(text: &[u8], catalog: &dyn Catalog) -> Vec<Diagnostic> {
    if text.starts_with(b"\xef\xbb\xbf") {
        let message = "The text begins with a byte order mark, which is not valid JSON. Save it without one.";
        return vec![Diagnostic::new(Code::JsonSyntax, "", message)];
    }
    if let Err(error) = check_limits(text) {
        return vec![json_error(text, &error)];
    }
    match parse_document(std::str::from_utf8(text).unwrap_or_default()) {
        Ok(document) => document.diagnose(catalog),
        Err(diagnostic) => vec![*diagnostic],
    }
}

/// Checks a JSON text against the limits for its form: an exported document may be deeper than a definition.
///
/// # Errors
/// The first violation, with line and column; see [`json_limits::check_json`].
pub fn check_limits(text: &[u8]) -> Result<(), serde_json::Error> {
    match detect_form(std::str::from_utf8(text).unwrap_or_default()) {
        Some(ImportForm::Document) => json_limits::check_documents(text),
        _ => json_limits::check_json(text),
    }
}

fn json_error(text: &[u8], error: &serde_json::Error) -> Diagnostic {
    let position = format!("line {}, column {}", error.line(), column(text, error));
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    let (code, problem, advice) = match json_limits::violation(error) {
        None => (Code::JsonSyntax, "Not valid JSON", "Correct the text there."),
        Some(Violation::TooDeep) => (Code::JsonTooDeep, "The JSON is rejected", "Flatten it."),
        Some(Violation::Other) => (Code::JsonRejected, "The JSON is rejected", "Change it there."),
    };
    Diagnostic::new(code, "", format!("{problem}: {reason} ({position}). {advice}"))
}

/// The column of an error in characters; the parser counts bytes.
fn column(text: &[u8], error: &serde_json::Error) -> usize {
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let before = line.get(..error.column().saturating_sub(1)).unwrap_or(line);
    String::from_utf8_lossy(before).chars().count() + 1
}
