//! Files beside an SQLite database.

use std::path::{Path, PathBuf};

/// Where a new database lies from [`Replacing::commit`] to [`Replacing::finish`].
pub(crate) fn replacement_of(path: &Path) -> PathBuf {
    beside(path, ".replacement")
}

pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
