//! The folders of the data directory.

use std::io;
use std::path::Path;

use uuid::Uuid;

use crate::blocking::blocking_io;
use crate::error::Problem;

/// Where uploads go.
pub(crate) const TEST_FILES: &str = "test_files";

/// Where the files of runs go.
pub(crate) const RUN_FILES: &str = "run_files";

/// The folders of the data folder that hold the files of workflows, each in a folder named by its id.
pub const FILE_FOLDERS: [&str; 2] = [TEST_FILES, RUN_FILES];

/// Where files are written before they have a place.
pub(crate) const TEMPORARY: &str = "tmp";

/// Makes a folder, and makes it durable where it is new.
pub(crate) fn make_folder(data_dir: &Path, kind: &str, workflow_id: Uuid) -> io::Result<std::path::PathBuf> {
    let parent = data_dir.join(kind);
    let folder = parent.join(workflow_id.to_string());
    if !folder.is_dir() {
        std::fs::create_dir_all(&folder)?;
        sync_folder(&parent)?;
        sync_folder(data_dir)?;
    }
    Ok(folder)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Work on files.
pub(crate) async fn file_io<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    blocking_io(work).await.map_err(Problem::from_io_error)
}
