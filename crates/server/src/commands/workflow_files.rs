//! Files that contain one workflow each.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use sluice_domain::transfer::{self, ImportForm, WorkflowDocument};
use sluice_persistence::durable_fs;
use uuid::Uuid;

use crate::cli::output::display_path;
use crate::error::{Result, io_error};

/// Maximum length of the workflow name in a file name, in characters.
const MAX_SLUG: usize = 60;

/// Lists the entries of a folder by name.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
    let mut entries = entries.map_err(io_error("read the folder", folder))?;
    entries.sort();
    Ok(entries)
}

/// True for the files that can contain workflows: JSON files, except hidden ones.
pub(super) fn is_json_file(path: &Path) -> bool {
    let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    path.is_file() && !is_hidden && path.extension().is_some_and(|extension| extension == "json")
}

/// Returns the file name without its extension, or `None` if it can't be the name of a workflow.
pub(super) fn stem(path: &Path) -> Option<&str> {
    let stem = path.file_stem()?.to_str()?;
    (!stem.trim().is_empty() && !stem.contains(char::is_control)).then_some(stem)
}

/// Reads the workflow of a file from its text. A workflow without a name gets the name of the file.
pub(super) fn read_workflow(path: &Path, text: &str) -> Result<WorkflowDocument> {
    #[derive(Deserialize)]
    struct Request {
        definition: Option<IgnoredAny>,
    }
    // The API accepts a request without a definition. Such a file is probably not a workflow, for example package.json.
    let is_request = transfer::detect_form(text) == Some(ImportForm::Request);
    if is_request && serde_json::from_str(text).is_ok_and(|Request { definition }| definition.is_none()) {
        let message =
            "The file does not contain a workflow definition. Add one, or move the file to another folder.";
        return Err(format!("{}: {message}", display_path(path)).into());
    }
    let mut document = transfer::parse_document(text)
        .map_err(|error| format!("{} at {:?}: {}", display_path(path), error.pointer, error.message))?;
    if document.name.is_empty() {
        document.name = stem(path).unwrap_or_default().to_owned();
    }
    Ok(document)
}

/// The workflow of a file.
pub(super) struct Identity {
    /// The id, if the file is an exported workflow.
    pub(super) id: Option<Uuid>,
    /// The name.
    pub(super) name: String,
}

/// Returns the workflow of a file, or `None` if it does not contain one. The definition of an exported workflow may be
/// invalid.
pub(super) fn identify(path: &Path) -> Option<Identity> {
    let text = std::fs::read_to_string(path).ok()?;
    if transfer::detect_form(&text)? == ImportForm::Document {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            id: Option<Uuid>,
            name: String,
        }
        let Head { format, id, name } = serde_json::from_str(&text).ok()?;
        return (format == transfer::FORMAT).then_some(Identity { id, name });
    }
    let WorkflowDocument { id, name, .. } = read_workflow(path, &text).ok()?;
    Some(Identity { id, name })
}

/// Returns the two names that the file of a workflow can have, both in lowercase, because some file systems ignore case.
/// The first ends with the last digits of the id: the first digits are a time, which workflows created together share.
/// The second ends with the whole id, so that it is unique.
pub(super) fn names(workflow: &str, id: Uuid) -> [String; 2] {
    let slug = slug(workflow);
    endings(id).map(|ending| format!("{slug}{ending}"))
}

/// True for a name that [`names`] could have returned for this id and any workflow name.
pub(super) fn is_generated(file: &str, id: Uuid) -> bool {
    let is_slug =
        |start: &str| start.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    endings(id).iter().any(|ending| file.strip_suffix(ending.as_str()).is_some_and(is_slug))
}

fn endings(id: Uuid) -> [String; 2] {
    let id = id.simple().to_string();
    [format!(".{}.json", id.get(24..).unwrap_or(&id)), format!(".{id}.json")]
}

/// Converts a name to lowercase letters, digits and dashes.
fn slug(name: &str) -> String {
    let words: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).collect();
    let slug = words.split_whitespace().collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let slug = slug.get(..MAX_SLUG).unwrap_or(&slug).trim_end_matches('-');
    match slug {
        "" => "workflow".to_owned(),
        device if is_device(device) => format!("{device}-workflow"),
        slug => slug.to_owned(),
    }
}

/// True for the names of devices on Windows, which are reserved with any extension.
fn is_device(slug: &str) -> bool {
    let port = slug.strip_prefix("com").or_else(|| slug.strip_prefix("lpt"));
    let is_port = port.is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit());
    is_port || ["con", "prn", "aux", "nul"].contains(&slug)
}

/// Replaces a file atomically.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("json.{}.new", std::process::id()));
    let written =
        durable_fs::write_new(&temporary, text.as_bytes()).and_then(|()| std::fs::rename(&temporary, path));
    written.inspect_err(|_| drop(std::fs::remove_file(&temporary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowercase_and_unique() {
        let id = Uuid::try_parse("019aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01").unwrap();
        let full = format!("workflow.{}.json", id.simple());
        assert_eq!(names("Approve: a  note / Ünd ../x", id)[0], "approve-a-note-nd-x.8c6b7e01.json");
        assert_eq!(names("日本", id), ["workflow.8c6b7e01.json".to_owned(), full.clone()]);
        assert_eq!(names(&"ab ".repeat(99), id)[0].len(), 59 + ".8c6b7e01.json".len());
        assert!(is_generated("approve-a-note.8c6b7e01.json", id) && is_generated(&full, id));
        for other in ["Approve.8c6b7e01.json", "a.b.8c6b7e01.json", "approve.json", "approve.8c6b7e02.json"] {
            assert!(!is_generated(other, id), "{other}");
        }
    }
}
