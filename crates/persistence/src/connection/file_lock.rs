//! The lock of an SQLite database: a file next to it, locked by one process.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::paths::with_suffix;
use crate::error::OpenError;

/// The lock, held until dropped. The system releases it when the process ends for any reason.
#[derive(Debug)]
pub(crate) struct FileLock {
    // Never read: closing the file releases the lock.
    _file: File,
}

impl FileLock {
    /// Locks the database at `path`, without waiting.
    pub(crate) fn acquire(path: &Path) -> Result<Self, OpenError> {
        let lock_path = with_suffix(path, ".lock");
        let file_error = |source| OpenError::File { path: lock_path.clone(), source };
        // The file is never removed: otherwise two processes could each lock a file of this name.
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&lock_path)
            .map_err(file_error)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { location: path.display().to_string() }),
            Err(TryLockError::Error(source)) => Err(file_error(source)),
        }
    }
}
