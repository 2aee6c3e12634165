//! From the text of a request or a file to its diagnostics.

use serde_json::Value;
use serde_path_to_error::Segment;

use super::{Catalogue, Code, Diagnostic, diagnose, pointer_step};
use crate::transfer::{self, Form};
use crate::{Definition, guard};

/// The most characters of a workflow's name.
const MAX_WORKFLOW_NAME: usize = 255;

/// Everything that is wrong, or looks wrong, with the definition that `text` holds: by itself, or in the
/// field `definition` of an object, as in the body of a create request, or as an exported document. Pointers lead into
/// `text`.
#[must_use]
pub fn diagnose_json(text: &[u8], catalogue: &dyn Catalogue) -> Vec<Diagnostic> {
    if text.starts_with(b"\xef\xbb\xbf") {
        let message = "The text begins with a byte order mark, which JSON doesn't have. Save it without one.";
        return vec![Diagnostic::new(Code::JsonSyntax, "", message)];
    }
    if let Some(document) = std::str::from_utf8(text).ok().filter(|text| is_document(text)) {
        return of_document(document, catalogue);
    }
    if let Err(error) = guard::check_json(text) {
        return vec![refused(&error)];
    }
    let body: Value = match serde_json::from_slice(text) {
        Ok(body) => body,
        Err(error) => return vec![refused(&error)],
    };
    let has = |field: &str| body.get(field).is_some();
    // A request without a definition asks for the default one.
    let is_request = has("definition") || (has("name") && !has("nodes") && !has("links"));
    let mut found = if is_request { name(&body) } else { Vec::new() };
    drop(body);
    let (prefix, read) = match is_request {
        true => ("/definition", parse::<Request>(text).map(|request| request.definition.unwrap_or_default())),
        false => ("", parse::<Definition>(text)),
    };
    match read {
        Ok(mut definition) => {
            definition.normalise();
            let of_definition = diagnose(&definition.or_default(), catalogue);
            found.extend(of_definition.into_iter().map(|mut diagnostic| {
                diagnostic.below(prefix);
                diagnostic
            }));
        }
        Err(misshapen) => found.push(*misshapen),
    }
    found
}

fn of_document(document: &str, catalogue: &dyn Catalogue) -> Vec<Diagnostic> {
    if let Err(error) = guard::check_documents(document.as_bytes()) {
        return vec![refused(&error)];
    }
    match transfer::read(document) {
        Ok(incoming) => incoming.diagnose(catalogue),
        Err(misfit) => vec![*misfit],
    }
}

fn is_document(text: &str) -> bool {
    transfer::form(text) == Some(Form::Document)
}

/// As much of a create request as holds a definition.
#[derive(serde::Deserialize)]
struct Request {
    definition: Option<Definition>,
}

/// What is wrong with the name of a workflow.
fn name(body: &Value) -> Vec<Diagnostic> {
    let found = match body.get("name") {
        Some(Value::String(name)) if name.chars().count() > MAX_WORKFLOW_NAME => {
            let message = format!("The name is longer than {MAX_WORKFLOW_NAME} characters. Shorten it.");
            Some(Diagnostic::new(Code::TextTooLong, "/name", message))
        }
        None | Some(Value::String(_)) => None,
        Some(_) => {
            Some(Diagnostic::new(Code::ShapeInvalid, "/name", "The name is no text. Put it in quotes."))
        }
    };
    found.into_iter().collect()
}

/// A text that is no JSON, or JSON that no store keeps.
fn refused(error: &serde_json::Error) -> Diagnostic {
    let place = format!("line {}, column {}", error.line(), error.column());
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
