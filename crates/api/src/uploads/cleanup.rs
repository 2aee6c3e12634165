//! Removal of the files of deleted workflows, and of leftover files of a crashed process.

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

/// Folder of the marks of workflows that are being deleted.
const DELETION_MARKS: &str = "deleted";

/// Age from which a temporary file cannot belong to a request in progress.
const STALE_AGE: Duration = Duration::from_secs(24 * 3600);

/// Marks a workflow as about to be deleted, so that its files are removed even if this process crashes. Only files of
/// marked workflows are removed: the folder may have files of another database too.
pub(crate) async fn mark_for_deletion(data_dir: &Path, workflow_id: Uuid) -> Result<(), Problem> {
    let folder = data_dir.join(DELETION_MARKS);
    let mark = folder.join(workflow_id.to_string());
    file_io(move || {
        std::fs::create_dir_all(&folder)?;
        std::fs::File::create(&mark)?;
        sync_folder(&folder)
    })
    .await
}

/// Removes the files of a deleted workflow. After a failure, the next start of the server tries again.
pub(crate) async fn remove_folders(data_dir: &Path, workflow_id: Uuid) {
    let mut is_removed = true;
    for kind in [TEST_FILES, RUN_FILES] {
        let folder = data_dir.join(kind).join(workflow_id.to_string());
        match fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                is_removed = false;
                tracing::warn!(%workflow_id, kind, %error, "files of a deleted workflow not removed, next attempt at the next start");
            }
            _ => {}
        }
    }
    if is_removed {
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
    match fs::remove_file(data_dir.join(DELETION_MARKS).join(workflow_id.to_string())).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%workflow_id, %error, "marker of a deleted workflow not removed, next attempt at the next start");
        }
        _ => {}
    }
}

/// Removes leftover files of an earlier process: files of workflows that it was deleting, and stale temporary files.
/// Call it at startup.
///
/// # Errors
/// The query of the database failed. Files that cannot be removed are only logged.
pub async fn sweep_files(db: &Database, data_dir: &Path) -> Result<(), StoreError> {
    let names = entries(&data_dir.join(DELETION_MARKS)).await;
    let ids: Vec<Uuid> = names.iter().filter_map(|name| Uuid::try_parse(name).ok()).collect();
    for chunk in ids.chunks(500) {
        let existing: HashSet<Uuid> = db.existing_workflows(chunk).await?;
        for id in chunk {
            // The process ended before it deleted an existing workflow.
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
        let modified = fs::metadata(&path).await.and_then(|meta| meta.modified());
        if modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > STALE_AGE))
            && let Err(error) = fs::remove_file(&path).await
        {
            tracing::warn!(%error, "stale temporary file not removed");
        }
    }
    Ok(())
}

/// Returns the names in a folder. Returns an empty list if the folder does not exist.
async fn entries(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let Ok(mut entries) = fs::read_dir(folder).await else { return names };
    while let Ok(Some(entry)) = entries.next_entry().await {
        names.extend(entry.file_name().into_string());
    }
    names
}
