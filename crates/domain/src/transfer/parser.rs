use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{FORMAT, FORMAT_VERSION, ImportForm, WorkflowDocument, checksum, compact};
use crate::Definition;
use crate::validation::{self, Code, Diagnostic};

/// Returns the form of a JSON text, or `None` if it is not an object.
#[must_use]
pub fn detect_form(json: &str) -> Option<ImportForm> {
    #[derive(Deserialize, PartialEq, Eq, Hash)]
    #[serde(field_identifier, rename_all = "lowercase")]
    enum Member {
        Format,
        Name,
        Definition,
        Nodes,
        Links,
        #[serde(other)]
        Other,
    }
    let members: HashMap<Member, Option<IgnoredAny>> = serde_json::from_str(json).ok()?;
    let has = |member| members.contains_key(&member);
    let has_graph = has(Member::Nodes) || has(Member::Links);
    Some(if members.get(&Member::Format).is_some_and(Option::is_some) {
        ImportForm::Document
    } else if has(Member::Definition) || has(Member::Name) && !has_graph {
        // A request without a definition means the default definition.
        ImportForm::Request
    } else {
        ImportForm::Definition
    })
}

/// The members of a create request that an import uses.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Request {
    name: Option<String>,
    description: Option<String>,
    tags: Option<Vec<String>>,
    definition: Option<Definition>,
}

/// Reads a workflow from a JSON text. Doesn't check the limits of the text, see [`super::check_limits`]. The pointer of
/// an error refers to `json`.
///
/// # Errors
/// The text doesn't have the shape of a workflow, or its checksum doesn't match.
pub fn parse_document(json: &str) -> Result<WorkflowDocument, Box<Diagnostic>> {
    let form = detect_form(json)
        .ok_or_else(|| Box::new(Diagnostic::new(Code::ShapeInvalid, "", "A workflow must be an object.")))?;
    // Whitespace within a config would be stored and count as a change.
    let json = compact(json);
    let mut document = match form {
        ImportForm::Document => read_document(&json)?,
        ImportForm::Request => {
            let Request { name, description, tags, definition } = validation::parse(json.as_bytes())?;
            // A blank name is ignored: it never refers to an existing workflow.
            let name = name.filter(|name| !name.trim().is_empty()).unwrap_or_default();
            let (description, definition) = (description.map(Some), definition.unwrap_or_default());
            WorkflowDocument { name, description, tags, definition, ..WorkflowDocument::default() }
        }
        ImportForm::Definition => WorkflowDocument {
            definition: validation::parse(json.as_bytes())?,
            ..WorkflowDocument::default()
        },
    };
    document.form = form;
    document.definition.normalize();
    document.definition = document.definition.or_default();
    document.versions.iter_mut().flatten().for_each(|version| version.definition.normalize());
    Ok(document)
}

/// Reads a document of this format version, and checks its checksum if it has one.
fn read_document(json: &str) -> Result<WorkflowDocument, Box<Diagnostic>> {
    let document: WorkflowDocument = validation::parse(json.as_bytes())?;
    let version = document.format_version;
    let (code, pointer, message) = if document.format != FORMAT {
        (Code::ShapeInvalid, "/format", format!("The format must be {FORMAT:?}."))
    } else if version != FORMAT_VERSION {
        let message = format!(
            "The document has format version {version}, but this release reads only {FORMAT_VERSION}. \
             Upgrade sluice."
        );
        (Code::ShapeInvalid, "/format_version", message)
    } else if document.checksum.is_some() && document.checksum != checksum(json).ok() {
        let message = "The document was changed after its checksum was computed. Export it again, or remove `checksum` \
            if the change is intended.";
        (Code::ChecksumMismatch, "/checksum", message.to_owned())
    } else {
        return Ok(document);
    };
    Err(Box::new(Diagnostic::new(code, pointer, message)))
}
