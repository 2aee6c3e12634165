//! The files of workflows: uploads, and data URIs among the inputs of runs. Each lies in a folder that is
//! named after its workflow, under a name that the server makes.

mod data_uri;
mod name;
mod upload;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sluice_engine::{StoreError, clock};
use sluice_persistence::Database;
use tokio::fs;
use uuid::Uuid;

pub(crate) use data_uri::store_data_uris;
pub(crate) use name::safe as safe_name;
pub(crate) use upload::{Limits, Upload};

use crate::aside;
use crate::problem::Problem;

/// Where uploads go.
const TEST_FILES: &str = "test_files";
/// Where the files of runs go.
const RUN_FILES: &str = "run_files";
/// The folders of the data folder that hold the files of workflows, each in a folder named by its id.
pub const FILE_FOLDERS: [&str; 2] = [TEST_FILES, RUN_FILES];
/// Where it is noted which workflows are being deleted.
const DELETED: &str = "deleted";
/// Where files are written before they have a place.
const TEMPORARY: &str = "tmp";
/// From this age on, no call that is still open has written a temporary file.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Notes that a workflow is about to be deleted, so that its files go even if this process doesn't live to remove them.
/// Only what is noted is ever swept: the folder may hold files of another database too.
pub(crate) async fn mark_deleted(data_dir: &Path, workflow_id: Uuid) -> Result<(), Problem> {
    let folder = data_dir.join(DELETED);
    let mark = folder.join(workflow_id.to_string());
    blocking(move || {
        std::fs::create_dir_all(&folder)?;
        std::fs::File::create(&mark)?;
        sync_folder(&folder)
    })
    .await
}

/// Removes the files of a workflow that was deleted. What can't be removed stays for the next start.
pub(crate) async fn remove_folders(data_dir: &Path, workflow_id: Uuid) {
    let mut all_gone = true;
    for kind in [TEST_FILES, RUN_FILES] {
        let folder = data_dir.join(kind).join(workflow_id.to_string());
        match fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                all_gone = false;
                tracing::warn!(%workflow_id, kind, %error, "the files of a deleted workflow stay until the next start");
            }
            _ => {}
        }
    }
    if all_gone {
        forget_mark(data_dir, workflow_id).await;
    }
}

/// Removes files by their paths below the data folder.
pub(crate) async fn remove(data_dir: &Path, paths: &[String]) {
    for path in paths {
        if let Err(error) = fs::remove_file(data_dir.join(path)).await {
            tracing::warn!(%error, "a file that was not kept stays");
        }
    }
}

async fn forget_mark(data_dir: &Path, workflow_id: Uuid) {
    match fs::remove_file(data_dir.join(DELETED).join(workflow_id.to_string())).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%workflow_id, %error, "the mark of a deleted workflow stays until the next start");
        }
        _ => {}
    }
}

/// Removes what an earlier process left behind: the files of workflows that it was deleting, and temporary files that
/// nobody writes any more. To be called at start.
///
/// # Errors
/// When the store can't be asked. What can't be removed is logged.
pub async fn sweep_files(db: &Database, data_dir: &Path) -> Result<(), StoreError> {
    let names = entries(&data_dir.join(DELETED)).await;
    let ids: Vec<Uuid> = names.iter().filter_map(|name| Uuid::try_parse(name).ok()).collect();
    for some in ids.chunks(500) {
        let existing: HashSet<Uuid> = db.existing_workflows(some).await?;
        for id in some {
            // One that is still there was never deleted: the process ended before.
            if existing.contains(id) {
                forget_mark(data_dir, *id).await;
            } else {
                remove_folders(data_dir, *id).await;
            }
        }
    }
    let now = SystemTime::from(clock::now());
    for name in entries(&data_dir.join(TEMPORARY)).await {
        let path = data_dir.join(TEMPORARY).join(name);
        let written = fs::metadata(&path).await.and_then(|meta| meta.modified());
        if written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > STALE))
            && let Err(error) = fs::remove_file(&path).await
        {
            tracing::warn!(%error, "a stale temporary file stays");
        }
    }
    Ok(())
}

/// The names in a folder; none when there is no such folder.
async fn entries(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let Ok(mut entries) = fs::read_dir(folder).await else { return names };
    while let Ok(Some(entry)) = entries.next_entry().await {
        names.extend(entry.file_name().into_string());
    }
    names
}

/// Makes a folder, and makes it durable where it is new.
fn make_folder(data_dir: &Path, kind: &str, workflow_id: Uuid) -> io::Result<std::path::PathBuf> {
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
fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Work on files.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    aside::blocking(work).await.map_err(Problem::file)
}
