//! File system operations whose effects survive a power failure.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Makes the entries of a folder durable after files were created, renamed or removed in it.
///
/// # Errors
///
/// The folder can't be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Returns the folder that contains a path.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a new file and makes its content durable.
///
/// # Errors
///
/// The path exists, possibly as a dangling link, or the file can't be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
