//! The format of a backup: a tar archive of the manifest, the database, the uploaded files and, at the end, the
//! checksums of all of these. An archive without its checksums is incomplete. `sha256sum -c SHA256SUMS` verifies the
//! unpacked files.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sluice_api::FILE_FOLDERS;
use uuid::Uuid;

/// Value of the manifest's `format`.
pub(super) const FORMAT: &str = "sluice/backup";
/// Version of the format that this release writes and reads.
pub(super) const FORMAT_VERSION: u32 = 1;
/// Maximum size of a manifest, in bytes.
pub(super) const MAX_MANIFEST: u64 = 64 << 10;

/// The first entry of a backup.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Manifest {
    pub(super) format: String,
    pub(super) format_version: u32,
    /// The release that created the backup.
    pub(super) sluice: String,
    pub(super) made_at: DateTime<Utc>,
    /// The last migration of the database.
    pub(super) schema: String,
    /// The number of workflows.
    pub(super) workflows: usize,
}

/// The kinds of entries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Manifest,
    Database,
    /// A file of a workflow.
    File {
        folder: &'static str,
        workflow: Uuid,
        name: String,
    },
    Checksums,
}

impl Entry {
    /// Parses the path of an entry. Any path that a backup can't contain is rejected, so no entry is ever unpacked
    /// outside of its folder.
    pub(super) fn from_path(path: &str) -> Option<Self> {
        match path {
            "manifest.json" => return Some(Self::Manifest),
            "database.sqlite" => return Some(Self::Database),
            "SHA256SUMS" => return Some(Self::Checksums),
            _ => {}
        }
        let mut parts = path.strip_prefix("files/")?.splitn(3, '/');
        let folder = parts.next()?;
        let folder = FILE_FOLDERS.into_iter().find(|known| *known == folder)?;
        let workflow = Uuid::try_parse(parts.next()?).ok()?;
        let name = parts.next().filter(|name| is_file_name(name))?;
        Some(Self::File { folder, workflow, name: name.to_owned() })
    }

    /// Returns the path of the entry in the archive.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Manifest => "manifest.json".to_owned(),
            Self::Database => "database.sqlite".to_owned(),
            Self::File { folder, workflow, name } => format!("files/{folder}/{workflow}/{name}"),
            Self::Checksums => "SHA256SUMS".to_owned(),
        }
    }

    /// Returns the path of a file of a workflow relative to the data folder, or `None` for other entries.
    pub(super) fn path_in_data_dir(&self) -> Option<PathBuf> {
        match self {
            Self::File { folder, workflow, name } => {
                Some([*folder, &workflow.to_string(), name].into_iter().collect())
            }
            Self::Manifest | Self::Database | Self::Checksums => None,
        }
    }
}

/// Returns true if a name has no separators, and can be written to `SHA256SUMS` without escapes.
pub(super) fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control())
}

/// SHA-256 checksums by path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Checksums(BTreeMap<String, String>);

impl Checksums {
    /// Adds a checksum. Returns false if the entry already has one.
    pub(super) fn insert(&mut self, entry: &Entry, checksum: String) -> bool {
        self.0.insert(entry.path(), checksum).is_none()
    }

    /// Formats the checksums as `sha256sum` does.
    pub(super) fn to_text(&self) -> String {
        self.0.iter().map(|(path, checksum)| format!("{checksum}  {path}\n")).collect()
    }

    /// Parses the output of `sha256sum`.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let parse =
            |line: &str| line.split_once("  ").map(|(checksum, path)| (path.to_owned(), checksum.to_owned()));
        text.lines().map(parse).collect::<Option<_>>().map(Self)
    }

    /// Returns a path whose checksums differ, or that is missing on one side.
    pub(super) fn first_difference<'a>(&'a self, other: &'a Self) -> Option<&'a str> {
        let different = self.0.iter().find(|(path, checksum)| other.0.get(*path) != Some(checksum));
        let missing = || other.0.keys().find(|path| !self.0.contains_key(*path));
        different.map(|(path, _)| path).or_else(missing).map(String::as_str)
    }

    /// Returns the number of files of workflows.
    pub(super) fn file_count(&self) -> usize {
        self.0.keys().filter(|path| path.starts_with("files/")).count()
    }
}

/// A reader that counts and hashes the bytes that it returns.
pub(super) struct HashingReader<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> HashingReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// Returns the number of bytes and their checksum.
    pub(super) fn finish(self) -> (u64, String) {
        (self.bytes, format!("{:x}", self.hash.finalize()))
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "019aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01";

    #[test]
    fn parses_only_paths_of_a_backup() {
        for path in ["manifest.json", "database.sqlite", "SHA256SUMS"] {
            assert_eq!(Entry::from_path(path).unwrap().path(), path);
        }
        let path = format!("files/test_files/{ID}/a  b.txt");
        let entry = Entry::from_path(&path).unwrap();
        assert_eq!(entry.path(), path);
        assert_eq!(entry.path_in_data_dir(), Some(path["files/".len()..].into()));
        for path in [
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
            assert_eq!(Entry::from_path(path), None, "{path:?}");
        }
    }

    #[test]
    fn finds_different_checksums() {
        let mut checksums = Checksums::default();
        assert!(checksums.insert(&Entry::Manifest, "aa".to_owned()));
        assert!(!checksums.insert(&Entry::Manifest, "aa".to_owned()));
        assert!(checksums.insert(&Entry::Database, "bb".to_owned()));
        let text = checksums.to_text();
        assert_eq!(text, "bb  database.sqlite\naa  manifest.json\n");
        let same = Checksums::from_text(&text).unwrap();
        assert_eq!(checksums.first_difference(&same), None);
        let other = Checksums::from_text("bc  database.sqlite\naa  manifest.json\n").unwrap();
        assert_eq!(checksums.first_difference(&other), Some("database.sqlite"));
        let incomplete = Checksums::from_text("bb  database.sqlite\n").unwrap();
        assert_eq!(checksums.first_difference(&incomplete), Some("manifest.json"));
        assert_eq!(incomplete.first_difference(&checksums), Some("manifest.json"));
        assert_eq!(Checksums::from_text("nonsense\n"), None);
    }
}
