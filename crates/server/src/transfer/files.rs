//! The files of a folder that hold workflows.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sluice_domain::transfer::FORMAT;
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

/// The id of the workflow whose document a text is.
pub(super) fn id_in(text: &str) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
        id: Uuid,
    }
    let head: Head = serde_json::from_str(text).ok()?;
    (head.format == FORMAT).then_some(head.id)
}

/// A name for the file of a workflow that none of `taken` is. It begins with the name, for people, and ends with the end
/// of the id, so that it is another workflow's under no circumstances; the beginning of an id is a time, and the same
/// for workflows that were created together.
pub(super) fn name(workflow: &str, id: Uuid, taken: &mut HashSet<String>) -> String {
    let (slug, id) = (slug(workflow), id.simple().to_string());
    let short = format!("{slug}.{}.json", id.get(24..).unwrap_or(&id));
    let name = if taken.contains(&short) { format!("{slug}.{id}.json") } else { short };
    taken.insert(name.clone());
    name
}

/// A name in small letters, digits and dashes.
fn slug(name: &str) -> String {
    let words: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).collect();
    let slug = words.split_whitespace().collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let slug = slug.get(..MAX_SLUG).unwrap_or(&slug).trim_end_matches('-');
    if slug.is_empty() { "workflow".to_owned() } else { slug.to_owned() }
}

/// Writes a file so that it is either as it was or as it shall be.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("json.{}.new", std::process::id()));
    // Never through a link, or over a file, that is there already.
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_told_apart() {
        let mut taken = HashSet::new();
        let id = Uuid::try_parse("019aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01").unwrap();
        let other = Uuid::try_parse("119aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01").unwrap();
        assert_eq!(name("Approve: a  note / Ünd ../x", id, &mut taken), "approve-a-note-nd-x.8c6b7e01.json");
        assert_eq!(name("日本", id, &mut taken), "workflow.8c6b7e01.json");
        assert_eq!(name("-", other, &mut taken), format!("workflow.{}.json", other.simple()));
        assert_eq!(name(&"ab ".repeat(99), id, &mut taken).len(), 59 + ".8c6b7e01.json".len());
    }
}
