//! `sluice export`: a file for each workflow, written only where something has changed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sluice_persistence::Database;
use uuid::Uuid;

use super::{Failure, counted, files, on_database, say};
use crate::cli::ExportArgs;
use crate::serve;

/// Writes every workflow of the database into a folder.
pub(crate) fn export(args: &ExportArgs) -> Result<ExitCode, Failure> {
    // A wrong URL shall not look like a database whose workflows are all gone.
    if serve::options(&args.database).names_a_new_file() {
        return Err("there is no such database file; name another one with --database-url".into());
    }
    std::fs::create_dir_all(&args.folder)
        .map_err(|error| format!("can't make the folder {}: {error}", args.folder.display()))?;
    on_database(&args.database, async |database| all(database, args).await)?;
    Ok(ExitCode::SUCCESS)
}

/// What became of the files.
#[derive(Default)]
struct Counts {
    written: usize,
    unchanged: usize,
}

async fn all(database: &Database, args: &ExportArgs) -> Result<(), Failure> {
    let mut before = found(&args.folder)?;
    let (mut names, mut counts) = (HashSet::new(), Counts::default());
    for id in database.workflow_ids().await? {
        // One that was deleted meanwhile has no file.
        let Some((row, document)) = database.workflow_document(id, args.versions).await? else { continue };
        let path = args.folder.join(files::name(&row.name, id, &mut names));
        put(&path, &document.to_file(), before.remove(&id).unwrap_or_default(), &names, &mut counts)?;
    }
    let gone: Vec<PathBuf> = before.into_values().flatten().filter(|path| !is_named(path, &names)).collect();
    forget(gone, args.prune)?;
    say(&format!("{} written, {} unchanged.", counted(counts.written, "file"), counts.unchanged));
    Ok(())
}

fn is_named(path: &Path, names: &HashSet<String>) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| names.contains(name))
}

/// The files that hold documents, by the id of the workflow. Others are none of our business.
fn found(folder: &Path) -> Result<HashMap<Uuid, Vec<PathBuf>>, Failure> {
    let mut found: HashMap<Uuid, Vec<PathBuf>> = HashMap::new();
    for path in files::list(folder)? {
        if let Some(id) = std::fs::read_to_string(&path).ok().and_then(|text| files::id_in(&text)) {
            found.entry(id).or_default().push(path);
        }
    }
    Ok(found)
}

/// Brings the file of a workflow to what it shall be; `before` are the files that it had, `names` those of others.
fn put(
    path: &Path,
    text: &str,
    before: Vec<PathBuf>,
    names: &HashSet<String>,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let failed = |error| format!("can't write {}: {error}", path.display());
    if std::fs::read_to_string(path).is_ok_and(|is| is == text) {
        counts.unchanged += 1;
    } else {
        let is_new = before.is_empty();
        files::write(path, text).map_err(failed)?;
        counts.written += 1;
        say(&format!("{}  {}", if is_new { "created" } else { "changed" }, path.display()));
    }
    for old in before.into_iter().filter(|old| !is_named(old, names)) {
        std::fs::remove_file(&old).map_err(failed)?;
        say(&format!("renamed  {} is now {}", old.display(), path.display()));
    }
    Ok(())
}

/// Deletes the files of workflows that are no more, or tells of them.
fn forget(mut gone: Vec<PathBuf>, prune: bool) -> Result<(), Failure> {
    gone.sort();
    for path in &gone {
        if prune {
            std::fs::remove_file(path)
                .map_err(|error| format!("can't delete {}: {error}", path.display()))?;
            say(&format!("deleted  {}", path.display()));
        } else {
            say(&format!("gone     {}: the database has no such workflow", path.display()));
        }
    }
    if !prune && !gone.is_empty() {
        say("Delete these files with --prune, or create their workflows with sluice import.");
    }
    Ok(())
}
