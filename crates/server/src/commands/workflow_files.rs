//! Files that contain one workflow each.

use std::collections::HashSet;
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use sluice_domain::json_limits;
use sluice_domain::transfer::{self, Form};
use sluice_persistence::durable_fs;
use uuid::Uuid;

/// Maximum length of the workflow name in a file name, in characters.
const MAX_SLUG: usize = 60;

/// Lists the JSON files of a folder by name, without its sub-folders.
pub(super) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.is_file() && !is_hidden && path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Lists the names of all entries of a folder, in lowercase.
pub(super) fn entries(folder: &Path) -> io::Result<HashSet<String>> {
    let name = |entry: io::Result<DirEntry>| Ok(entry?.file_name().to_string_lossy().to_lowercase());
    std::fs::read_dir(folder)?.map(name).collect()
}

/// The workflow of a file.
pub(super) struct Identity {
    /// The id, if the file is an exported workflow.
    pub(super) id: Option<Uuid>,
    /// The name. A file with a definition only has the name of the file.
    pub(super) name: Option<String>,
}

/// Returns the workflow of a file, or `None` if it does not contain one.
pub(super) fn identity(path: &Path) -> Option<Identity> {
    let text = std::fs::read_to_string(path).ok()?;
    json_limits::check_documents(text.as_bytes()).ok()?;
    match transfer::form(&text)? {
        Form::Document => of_document(&text),
        // Files of other programs are JSON objects with a name too, so a definition is required.
        Form::Request | Form::Plain if !has_definition(&text) => None,
        Form::Request => Some(Identity { id: None, name: transfer::read(&text).ok()?.name }),
        Form::Plain => {
            transfer::read(&text).ok()?;
            Some(Identity { id: None, name: Some(path.file_stem()?.to_str()?.to_owned()) })
        }
    }
}

fn of_document(text: &str) -> Option<Identity> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
        #[serde(default)]
        id: Option<Uuid>,
        name: String,
    }
    let Head { format, id, name } = serde_json::from_str(text).ok()?;
    (format == transfer::FORMAT).then_some(Identity { id, name: Some(name) })
}

fn has_definition(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Members {
        definition: Option<IgnoredAny>,
        nodes: Option<IgnoredAny>,
    }
    serde_json::from_str(text).is_ok_and(|Members { definition, nodes }| definition.or(nodes).is_some())
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
