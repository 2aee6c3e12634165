//! The folder in which a backup is assembled.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sluice_persistence::durable_fs::parent;
use tempfile::TempDir;

/// Prefix of the names of staging folders.
const PREFIX: &str = ".sluice-backup-";

/// A locked folder beside the backup. It is removed when dropped. If the process is killed, the next backup to the same
/// folder removes it.
pub(super) struct Staging {
    folder: TempDir,
    /// Held so that other backups don't remove the folder.
    _lock: File,
}

impl Staging {
    /// Creates the folder beside `file`, and removes the folders of killed processes.
    pub(super) fn create_beside(file: &Path) -> io::Result<Self> {
        let parent = parent(file);
        remove_abandoned(parent)?;
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::open(folder.path())?;
        lock.try_lock()?;
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_staging = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
        if is_staging && entry.file_type()?.is_dir() && File::open(entry.path())?.try_lock().is_ok() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
