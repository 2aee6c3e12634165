//! `sluice export`: writes the workflows of the database to the files of a folder.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use sluice_engine::StoreError;
use sluice_persistence::Database;
use uuid::Uuid;

use super::workflow_files::{self as files, Identity};
use crate::cli::output::{count, display_path, print_line};
use crate::cli::{DatabaseArgs, with_database};
use crate::error::{Result, io_error};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Folder to export to, created if missing.
    folder: PathBuf,
    /// Include the latest 1,000 versions and the labels of each workflow.
    #[arg(long)]
    versions: bool,
    /// Delete the files of workflows that are no longer in the database. Other files are never deleted.
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Exports all workflows.
pub(super) fn run(args: &ExportArgs) -> Result<ExitCode> {
    // Creating a database here would make an export of no workflows, as if all had been deleted.
    if args.database.options().is_new_file() {
        return Err("the database file does not exist; set --database-url".into());
    }
    std::fs::create_dir_all(&args.folder).map_err(io_error("create the folder", &args.folder))?;
    with_database(&args.database, async |database| export_all(database, args).await)
}

async fn export_all(database: &Database, args: &ExportArgs) -> Result<ExitCode> {
    let workflows = database.workflow_names().await?;
    let mut folder = Folder::read(&args.folder, &workflows)?;
    let (mut written, mut unchanged, mut failed) = (0, 0, 0);
    for (id, name) in &workflows {
        let updated = match database.workflow_export(*id, args.versions).await {
            // The workflow was deleted while the export was running.
            Ok(None) => continue,
            Ok(Some((_, document))) => folder.update(*id, name, &document.into_file()),
            Err(error @ StoreError::Unreadable { .. }) => Err(error.to_string()),
            Err(StoreError::PageTooLarge(bytes)) => {
                Err(format!("its versions hold more than {bytes} bytes; export it without --versions"))
            }
            Err(error) => return Err(error.into()),
        };
        match updated {
            Ok(true) => written += 1,
            Ok(false) => unchanged += 1,
            Err(reason) => {
                failed += 1;
                print_line(&format!("error: {name:?} ({id}) could not be exported: {reason}"));
            }
        }
    }
    folder.report_duplicates();
    prune(&folder.orphaned, args.prune)?;
    print_line(&format!("{} written, {unchanged} unchanged.", count(written, "file")));
    if failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&format!("{} not exported.", count(failed, "workflow")));
    Ok(ExitCode::FAILURE)
}

/// The folder and the workflows of its files.
#[derive(Default)]
struct Folder {
    path: PathBuf,
    /// The file of each workflow.
    files: HashMap<Uuid, PathBuf>,
    /// Additional files of workflows that already have one.
    duplicates: BTreeMap<PathBuf, Uuid>,
    /// Files of workflows that are not in the database.
    orphaned: Vec<PathBuf>,
    /// All names in the folder, in lowercase, because some file systems ignore case. True for the files of workflows.
    names: HashMap<String, bool>,
}

impl Folder {
    /// Finds the file of each workflow in the same way as an import.
    fn read(path: &Path, workflows: &[(Uuid, String)]) -> Result<Self> {
        let entries = files::entries(path)?;
        let names = entries.iter().map(|entry| (file_name(entry).to_lowercase(), false)).collect();
        let mut folder = Self { path: path.to_owned(), names, ..Self::default() };
        let files = entries.into_iter().filter(|entry| files::is_json_file(entry));
        let mut files: Vec<_> = files.filter_map(|file| Some((files::identify(&file)?, file))).collect();
        // Ids take precedence over names.
        files.sort_by_key(|(identity, _)| identity.id.is_none());
        let ids: HashSet<Uuid> = files.iter().filter_map(|(identity, _)| identity.id).collect();
        let known: HashSet<Uuid> = workflows.iter().map(|(id, _)| *id).collect();
        let owners: HashMap<&str, Uuid> = workflows.iter().map(|(id, name)| (name.as_str(), *id)).collect();
        for (Identity { id, name }, file) in files {
            let owner = owners.get(name.as_str()).filter(|owner| id.is_none() || !ids.contains(owner));
            match id.filter(|id| known.contains(id)).or(owner.copied()) {
                Some(workflow) => folder.assign(workflow, file),
                None if id.is_some() => folder.orphaned.push(file),
                None => {}
            }
        }
        let owned = folder.files.values().map(|file| (file_name(file).to_lowercase(), true));
        folder.names.extend(owned);
        Ok(folder)
    }

    /// Assigns a file to a workflow. If the workflow already has one, the file with a generated name wins.
    fn assign(&mut self, id: Uuid, file: PathBuf) {
        let is_generated = |file: &Path| files::is_generated(&file_name(file), id);
        let replaces =
            self.files.get(&id).is_none_or(|current| is_generated(&file) && !is_generated(current));
        let duplicate = if replaces { self.files.insert(id, file) } else { Some(file) };
        self.duplicates.extend(duplicate.map(|file| (file, id)));
    }

    /// Writes the file of a workflow, and returns false if it is up to date. The error is the reason to skip the workflow.
    fn update(&mut self, id: Uuid, name: &str, text: &str) -> Result<bool, String> {
        let current = self.files.get(&id).cloned();
        let path = self.choose_path(id, name, current.as_deref())?;
        if let Some(current) = current.as_ref().filter(|current| **current != path) {
            std::fs::rename(current, &path)
                .map_err(|error| format!("can't rename {}: {error}", display_path(current)))?;
            print_line(&format!("renamed  {} is now {}", display_path(current), display_path(&path)));
        }
        self.names.insert(file_name(&path).to_lowercase(), true);
        self.files.insert(id, path.clone());
        if current.is_some() && std::fs::read_to_string(&path).is_ok_and(|present| present == text) {
            return Ok(false);
        }
        files::write(&path, text).map_err(|error| format!("can't write {}: {error}", display_path(&path)))?;
        let effect = if current.is_some() { "changed" } else { "created" };
        print_line(&format!("{effect}  {}", display_path(&path)));
        Ok(true)
    }

    /// Returns the path for the file of a workflow. The path is new if the workflow has no file, or if the name of the
    /// file was generated from a former name of the workflow.
    fn choose_path(&self, id: Uuid, name: &str, current: Option<&Path>) -> Result<PathBuf, String> {
        let names = files::names(name, id);
        let keeps_name = |current: &&Path| {
            !files::is_generated(&file_name(current), id) || names.contains(&file_name(current))
        };
        if let Some(current) = current.filter(keeps_name) {
            return Ok(current.to_owned());
        }
        if let Some(current) = current {
            let free = names.iter().find(|name| !self.names.contains_key(*name));
            return Ok(free.map_or_else(|| current.to_owned(), |name| self.path.join(name)));
        }
        let name = names.iter().find(|name| self.names.get(*name) != Some(&true)).unwrap_or(&names[1]);
        let path = self.path.join(name);
        if self.names.contains_key(name) {
            let path = display_path(&path);
            return Err(format!("{path} is not a file of this workflow; fix it, or move it elsewhere"));
        }
        Ok(path)
    }

    /// Reports files that an import would reject because another file has the same workflow.
    fn report_duplicates(&self) {
        for (duplicate, id) in &self.duplicates {
            let current = self.files.get(id).map(|current| display_path(current)).unwrap_or_default();
            let duplicate = display_path(duplicate);
            print_line(&format!(
                "duplicate {duplicate}: {current} has the same workflow; delete one of them"
            ));
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Deletes or reports the files of workflows that are not in the database.
fn prune(orphaned: &[PathBuf], is_allowed: bool) -> Result<()> {
    for path in orphaned {
        if is_allowed {
            std::fs::remove_file(path)
                .map_err(|error| format!("can't delete {}: {error}", display_path(path)))?;
            print_line(&format!("deleted  {}", display_path(path)));
        } else {
            print_line(&format!("gone     {}: the workflow is not in the database", display_path(path)));
        }
    }
    if !is_allowed && !orphaned.is_empty() {
        print_line("Delete these files with --prune, or import their workflows with sluice import.");
    }
    Ok(())
}
