//! The folders of the data directory.

use std::io;
use std::path::Path;

use uuid::Uuid;

use crate::blocking::blocking_io;
use crate::error::Problem;

/// Folder of uploads.
pub(crate) const TEST_FILES: &str = "test_files";

/// Folder of the files of runs.
pub(crate) const RUN_FILES: &str = "run_files";

/// The folders with files of workflows. Each has a folder per workflow, named by its id.
pub const FILE_FOLDERS: [&str; 2] = [TEST_FILES, RUN_FILES];

/// Folder for temporary files.
pub(crate) const TEMPORARY: &str = "tmp";

/// Creates the folder of a workflow if it does not exist, and makes it durable.
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

/// Makes the entries of a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Runs blocking work on files.
pub(crate) async fn file_io<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    blocking_io(work).await.map_err(Problem::from_io_error)
}
