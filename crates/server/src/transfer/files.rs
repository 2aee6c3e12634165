//! The files of a folder that hold workflows.

use std::collections::HashSet;
use std::fs::{DirEntry, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use sluice_domain::guard;
use sluice_domain::transfer::{self, Form};
use uuid::Uuid;

/// The most characters of a name in the name of a file.
const MAX_SLUG: usize = 60;

/// The JSON files in a folder, by name. Folders in it are not looked into.
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

/// The names of everything in a folder, in small letters.
pub(super) fn entries(folder: &Path) -> io::Result<HashSet<String>> {
    let name = |entry: io::Result<DirEntry>| Ok(entry?.file_name().to_string_lossy().to_lowercase());
    std::fs::read_dir(folder)?.map(name).collect()
}

/// Whom a file stands for.
pub(super) struct Identity {
    /// The id of the workflow whose document it is.
    pub(super) id: Option<Uuid>,
    /// What it calls the workflow; a definition alone goes by the name of its file.
    pub(super) name: Option<String>,
}

/// Whom a file stands for; none when it holds no workflow.
pub(super) fn identity(path: &Path) -> Option<Identity> {
    let text = std::fs::read_to_string(path).ok()?;
    guard::check_documents(text.as_bytes()).ok()?;
    match transfer::form(&text)? {
        Form::Document => of_document(&text),
        // Other tools keep objects with a name too: only what is a workflow beyond doubt counts.
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

/// The names that the file of a workflow may have, the nicer one first. It begins with the name, for people, and ends
/// with the end of the id, so that it is hardly ever another workflow's; the beginning of an id is a time, and the same
/// for workflows that were created together. The second is another workflow's under no circumstances. None of them
/// have capital letters, which some file systems don't tell from small ones.
pub(super) fn names(workflow: &str, id: Uuid) -> [String; 2] {
    let slug = slug(workflow);
    endings(id).map(|ending| format!("{slug}{ending}"))
}

/// Whether an export has given a file its name, after any name of the workflow.
pub(super) fn is_given(file: &str, id: Uuid) -> bool {
    let is_of_slug =
        |start: &str| start.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    endings(id).iter().any(|ending| file.strip_suffix(ending.as_str()).is_some_and(is_of_slug))
}

fn endings(id: Uuid) -> [String; 2] {
    let id = id.simple().to_string();
    [format!(".{}.json", id.get(24..).unwrap_or(&id)), format!(".{id}.json")]
}

/// A name in small letters, digits and dashes.
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

/// Whether Windows takes a name for a device, whatever extension follows.
fn is_device(slug: &str) -> bool {
    let port = slug.strip_prefix("com").or_else(|| slug.strip_prefix("lpt"));
    let is_port = port.is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit());
    is_port || ["con", "prn", "aux", "nul"].contains(&slug)
}

/// Writes a file so that it is either as it was or as it shall be.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("json.{}.new", std::process::id()));
    // Never through a link, or over a file, that is there already.
    let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    let written = filled(file, text).and_then(|()| std::fs::rename(&temporary, path));
    // What can't be finished is not left lying about.
    written.inspect_err(|_| drop(std::fs::remove_file(&temporary)))
}

fn filled(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_told_apart() {
        let id = Uuid::try_parse("019aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01").unwrap();
        let full = format!("workflow.{}.json", id.simple());
        assert_eq!(names("Approve: a  note / Ünd ../x", id)[0], "approve-a-note-nd-x.8c6b7e01.json");
        assert_eq!(names("日本", id), ["workflow.8c6b7e01.json".to_owned(), full.clone()]);
        assert_eq!(names(&"ab ".repeat(99), id)[0].len(), 59 + ".8c6b7e01.json".len());
        assert!(is_given("approve-a-note.8c6b7e01.json", id) && is_given(&full, id));
        for other in ["Approve.8c6b7e01.json", "a.b.8c6b7e01.json", "approve.json", "approve.8c6b7e02.json"] {
            assert!(!is_given(other, id), "{other}");
        }
    }
}
