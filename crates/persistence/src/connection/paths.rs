//! Paths of the files next to an SQLite database.

use std::path::{Path, PathBuf};

/// Returns the path of a restored database until it replaces the old one.
pub(crate) fn replacement_path(database: &Path) -> PathBuf {
    with_suffix(database, ".replacement")
}

/// Appends a suffix to a file name.
pub(crate) fn with_suffix(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
