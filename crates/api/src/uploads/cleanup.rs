//! Removal of the files of deleted workflows, and of files that a crash left behind.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sluice_engine::{StoreError, clock};
use sluice_persistence::Database;
use tokio::fs;
use uuid::Uuid;

use crate::error::Problem;
use crate::uploads::folders::{RUN_FILES, TEMPORARY, TEST_FILES, file_io, sync_folder};

/// Where it is noted which workflows are being deleted.
const DELETED: &str = "deleted";

/// From this age on, no call that is still open has written a temporary file.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Notes that a workflow is about to be deleted, so that its files go even if this process doesn't live to remove them.
/// Only what is noted is ever swept: the folder may hold files of another database too.
pub(crate) async fn mark_for_deletion(data_dir: &Path, workflow_id: Uuid) -> Result<(), Problem> {
    let folder = data_dir.join(DELETED);
    let mark = folder.join(workflow_id.to_string());
    file_io(move || {
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
                tracing::warn!(%workflow_id, kind, %error, "files of a deleted workflow not removed, next attempt at the next start");
            }
            _ => {}
        }
    }
    if all_gone {
        remove_mark(data_dir, workflow_id).await;
    }
}

/// Removes files by their paths below the data folder.
pub(crate) async fn remove_files(data_dir: &Path, paths: &[String]) {
    for path in paths {
        if let Err(error) = fs::remove_file(data_dir.join(path)).await {
            tracing::warn!(%error, "rejected upload not removed");
        }
    }
}

async fn remove_mark(data_dir: &Path, workflow_id: Uuid) {
    match fs::remove_file(data_dir.join(DELETED).join(workflow_id.to_string())).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%workflow_id, %error, "marker of a deleted workflow not removed, next attempt at the next start");
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
                remove_mark(data_dir, *id).await;
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
            tracing::warn!(%error, "stale temporary file not removed");
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
