//! The form of a backup: a tar archive that begins with what it is, then holds the database and the files, and ends
//! with the checksums of all of it. Without the end it is no backup. `sha256sum -c SHA256SUMS` checks it too.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sluice_api::FILE_FOLDERS;
use uuid::Uuid;

/// What says that a file is a backup.
pub(super) const FORMAT: &str = "sluice/backup";
/// The form that this release writes and reads.
pub(super) const VERSION: u32 = 1;
/// More than any manifest has.
pub(super) const MAX_MANIFEST: u64 = 64 << 10;

/// The beginning of a backup.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Manifest {
    pub(super) format: String,
    pub(super) format_version: u32,
    /// The release that made it.
    pub(super) sluice: String,
    pub(super) made_at: DateTime<Utc>,
    /// The last step of the schema.
    pub(super) schema: String,
    pub(super) workflows: usize,
}

/// What an entry of the archive is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Manifest,
    Database,
    /// A file of a workflow: its folder, the workflow, and its name.
    File(&'static str, Uuid, String),
    Sums,
}

impl Part {
    /// Only names that a backup has: nothing in an archive leads to another place.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "manifest.json" => return Some(Self::Manifest),
            "database.sqlite" => return Some(Self::Database),
            "SHA256SUMS" => return Some(Self::Sums),
            _ => {}
        }
        let mut parts = name.strip_prefix("files/")?.splitn(3, '/');
        let folder = FILE_FOLDERS.into_iter().find(|folder| Some(*folder) == parts.clone().next())?;
        let workflow = parts.nth(1).and_then(|id| Uuid::try_parse(id).ok())?;
        let name = parts.next().filter(|name| is_plain(name))?;
        Some(Self::File(folder, workflow, name.to_owned()))
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Manifest => "manifest.json".to_owned(),
            Self::Database => "database.sqlite".to_owned(),
            Self::File(folder, workflow, name) => format!("files/{folder}/{workflow}/{name}"),
            Self::Sums => "SHA256SUMS".to_owned(),
        }
    }

    /// Where it lies below the data folder, or the one it is unpacked into.
    pub(super) fn place(&self) -> Option<PathBuf> {
        match self {
            Self::File(folder, workflow, name) => {
                Some([*folder, &workflow.to_string(), name].into_iter().collect())
            }
            _ => None,
        }
    }
}

/// Whether it names a file in a folder, and a line of checksums holds it as it is.
pub(super) fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control())
}

/// The checksums of all that came before, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sums(BTreeMap<String, String>);

impl Sums {
    /// False when the name is there already.
    pub(super) fn add(&mut self, part: &Part, sum: String) -> bool {
        self.0.insert(part.name(), sum).is_none()
    }

    /// As `sha256sum` writes them.
    pub(super) fn to_text(&self) -> String {
        self.0.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect()
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().map(|line| line.split_once("  "));
        lines
            .map(|line| line.map(|(sum, name)| (name.to_owned(), sum.to_owned())))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// A name whose checksum is not the one that `wanted` has, or that only one of both has.
    pub(super) fn first_difference<'a>(&'a self, wanted: &'a Self) -> Option<&'a str> {
        let wrong = self.0.iter().find(|(name, sum)| wanted.0.get(*name) != Some(sum));
        let missing = || wanted.0.keys().find(|name| !self.0.contains_key(*name));
        wrong.map(|(name, _)| name).or_else(missing).map(String::as_str)
    }

    pub(super) fn files(&self) -> usize {
        self.0.keys().filter(|name| name.starts_with("files/")).count()
    }
}

/// Reads, and takes the checksum of what was read.
pub(super) struct Hashed<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Hashed<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// How many bytes were read, and their checksum.
    pub(super) fn end(self) -> (u64, String) {
        (self.bytes, format!("{:x}", self.hash.finalize()))
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.hash.update(into.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "019aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01";

    #[test]
    fn only_names_of_a_backup_are_known() {
        for name in ["manifest.json", "database.sqlite", "SHA256SUMS"] {
            assert_eq!(Part::named(name).unwrap().name(), name);
        }
        let file = format!("files/test_files/{ID}/a  b.txt");
        let part = Part::named(&file).unwrap();
        assert_eq!((part.name(), part.place()), (file.clone(), Some(file["files/".len()..].into())));
        for name in [
            "",
            "database.sqlite/",
            "./manifest.json",
            "files",
            "files/tmp/x",
            &format!("files/deleted/{ID}/a"),
            &format!("files/test_files/{ID}"),
            &format!("files/test_files/{ID}/"),
            &format!("files/test_files/{ID}/.."),
            &format!("files/test_files/{ID}/a/b"),
            &format!("files/test_files/{ID}/a\nb"),
            &format!("/files/test_files/{ID}/a"),
            "files/test_files/../../etc/passwd",
            "../x",
        ] {
            assert_eq!(Part::named(name), None, "{name:?}");
        }
    }

    #[test]
    fn sums_are_told_apart() {
        let mut sums = Sums::default();
        assert!(sums.add(&Part::Manifest, "aa".to_owned()));
        assert!(!sums.add(&Part::Manifest, "aa".to_owned()));
        assert!(sums.add(&Part::Database, "bb".to_owned()));
        let text = sums.to_text();
        assert_eq!(text, "bb  database.sqlite\naa  manifest.json\n");
        let same = Sums::parse(&text).unwrap();
        assert_eq!(sums.first_difference(&same), None);
        let other = Sums::parse("bc  database.sqlite\naa  manifest.json\n").unwrap();
        assert_eq!(sums.first_difference(&other), Some("database.sqlite"));
        let less = Sums::parse("bb  database.sqlite\n").unwrap();
        assert_eq!(sums.first_difference(&less), Some("manifest.json"));
        assert_eq!(less.first_difference(&sums), Some("manifest.json"));
        assert_eq!(Sums::parse("nonsense\n"), None);
    }
}
