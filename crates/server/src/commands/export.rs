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
use crate::error::Result;

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
    std::fs::create_dir_all(&args.folder)
        .map_err(|error| format!("can't create the folder {}: {error}", display_path(&args.folder)))?;
    with_database(&args.database, async |database| export_all(database, args).await)
}

/// The numbers of files.
#[derive(Default)]
struct Counts {
    written: usize,
    unchanged: usize,
    failed: usize,
}

async fn export_all(database: &Database, args: &ExportArgs) -> Result<ExitCode> {
    let workflows = database.workflow_names().await?;
    let mut folder = Folder::read(&args.folder, &workflows)?;
    let mut counts = Counts::default();
    for (id, name) in &workflows {
        let done = match database.workflow_export(*id, args.versions).await {
            // The workflow was deleted while the export was running.
            Ok(None) => continue,
            Ok(Some((_, document))) => folder.update(*id, name, &document.to_file(), &mut counts)?,
            Err(error @ StoreError::Unreadable { .. }) => Err(error.to_string()),
            Err(StoreError::PageTooLarge(bytes)) => {
                Err(format!("its versions hold more than {bytes} bytes; export it without --versions"))
            }
            Err(error) => return Err(error.into()),
        };
        if let Err(why) = done {
            counts.failed += 1;
            print_line(&format!("error: {name:?} ({id}) could not be exported: {why}"));
        }
    }
    folder.report_duplicates();
    prune(&folder.gone, args.prune)?;
    print_line(&format!("{} written, {} unchanged.", count(counts.written, "file"), counts.unchanged));
    if counts.failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&format!("{} not exported.", count(counts.failed, "workflow")));
    Ok(ExitCode::FAILURE)
}

/// The folder and the workflows of its files.
struct Folder {
    path: PathBuf,
    /// The file of each workflow.
    own: HashMap<Uuid, PathBuf>,
    /// Additional files of workflows that already have one.
    duplicates: BTreeMap<PathBuf, Uuid>,
    /// Files of workflows that are not in the database.
    gone: Vec<PathBuf>,
    /// The names of the files of workflows.
    owned_names: HashSet<String>,
    /// All names in the folder in lowercase, because some file systems ignore case.
    used_names: HashSet<String>,
}

impl Folder {
    /// Finds the file of each workflow in the same way as an import.
    fn read(path: &Path, workflows: &[(Uuid, String)]) -> Result<Self> {
        let failed = |error| format!("can't read the folder {}: {error}", display_path(path));
        let mut folder = Self {
            path: path.to_owned(),
            own: HashMap::new(),
            duplicates: BTreeMap::new(),
            gone: Vec::new(),
            owned_names: HashSet::new(),
            used_names: files::entries(path).map_err(failed)?,
        };
        let ids: HashSet<Uuid> = workflows.iter().map(|(id, _)| *id).collect();
        let owners: HashMap<&str, Uuid> = workflows.iter().map(|(id, name)| (name.as_str(), *id)).collect();
        let mut by_name = Vec::new();
        for file in files::list(path).map_err(failed)? {
            match files::identity(&file) {
                Some(Identity { id: Some(id), .. }) if ids.contains(&id) => folder.assign(id, file),
                Some(identity) => by_name.push((identity, file)),
                None => {}
            }
        }
        let by_id: HashSet<Uuid> = folder.own.keys().copied().collect();
        for (Identity { id, name }, file) in by_name {
            match name.and_then(|name| owners.get(name.as_str()).copied()) {
                Some(owner) if id.is_none() || !by_id.contains(&owner) => folder.assign(owner, file),
                _ if id.is_some() => folder.gone.push(file),
                _ => {}
            }
        }
        let own = folder.own.values().filter_map(|own| file_name(own));
        folder.owned_names = own.map(str::to_lowercase).collect();
        Ok(folder)
    }

    /// Assigns a file to a workflow. If the workflow already has one, the file with a generated name wins.
    fn assign(&mut self, id: Uuid, file: PathBuf) {
        let is_generated = |file: &Path| file_name(file).is_some_and(|name| files::is_generated(name, id));
        let duplicate = match self.own.get_mut(&id) {
            None => {
                self.own.insert(id, file);
                return;
            }
            Some(own) if is_generated(&file) && !is_generated(own) => std::mem::replace(own, file),
            Some(_) => file,
        };
        self.duplicates.insert(duplicate, id);
    }

    /// Writes the file of a workflow unless it is up to date. The inner error is a reason to skip the workflow.
    fn update(
        &mut self,
        id: Uuid,
        name: &str,
        text: &str,
        counts: &mut Counts,
    ) -> Result<Result<(), String>> {
        let (path, is_new) = match self.own.get(&id).cloned() {
            Some(own) => (self.rename_generated(id, name, own)?, false),
            None => match self.new_path(id, name) {
                Ok(path) => (path, true),
                Err(other) => {
                    let reason = format!(
                        "{} is not a file of this workflow; fix it, or move it elsewhere",
                        display_path(&other)
                    );
                    return Ok(Err(reason));
                }
            },
        };
        if !is_new && std::fs::read_to_string(&path).is_ok_and(|is| is == text) {
            counts.unchanged += 1;
        } else {
            files::write(&path, text)
                .map_err(|error| format!("can't write {}: {error}", display_path(&path)))?;
            counts.written += 1;
            print_line(&format!("{}  {}", if is_new { "created" } else { "changed" }, display_path(&path)));
        }
        self.own.insert(id, path);
        Ok(Ok(()))
    }

    /// Returns the path for a new file. The error is an existing file with this name that is not a workflow.
    fn new_path(&mut self, id: Uuid, name: &str) -> Result<PathBuf, PathBuf> {
        let names = files::names(name, id);
        let free = names.iter().find(|name| !self.owned_names.contains(*name)).unwrap_or(&names[1]);
        let path = self.path.join(free);
        if !self.used_names.insert(free.clone()) {
            return Err(path);
        }
        self.owned_names.insert(free.clone());
        Ok(path)
    }

    /// Renames a file with a generated name if its workflow was renamed. Other files keep their names.
    fn rename_generated(&mut self, id: Uuid, name: &str, own: PathBuf) -> Result<PathBuf> {
        let names = files::names(name, id);
        let is_fine = file_name(&own)
            .is_none_or(|file| !files::is_generated(file, id) || names.iter().any(|n| n == file));
        let Some(free) = names.into_iter().find(|name| !is_fine && !self.used_names.contains(name)) else {
            return Ok(own);
        };
        let path = self.path.join(&free);
        std::fs::rename(&own, &path)
            .map_err(|error| format!("can't rename {}: {error}", display_path(&own)))?;
        print_line(&format!("renamed  {} is now {}", display_path(&own), display_path(&path)));
        self.used_names.insert(free.clone());
        self.owned_names.insert(free);
        Ok(path)
    }

    /// Reports files that an import would reject because another file has the same workflow.
    fn report_duplicates(&self) {
        for (duplicate, id) in &self.duplicates {
            let own = self.own.get(id).map(|own| display_path(own)).unwrap_or_default();
            let duplicate = display_path(duplicate);
            print_line(&format!("duplicate {duplicate}: {own} has the same workflow; delete one of them"));
        }
    }
}

fn file_name(file: &Path) -> Option<&str> {
    file.file_name()?.to_str()
}

/// Deletes or reports the files of workflows that are not in the database.
fn prune(gone: &[PathBuf], is_allowed: bool) -> Result<()> {
    for path in gone {
        if is_allowed {
            std::fs::remove_file(path)
                .map_err(|error| format!("can't delete {}: {error}", display_path(path)))?;
            print_line(&format!("deleted  {}", display_path(path)));
        } else {
            print_line(&format!("gone     {}: the workflow is not in the database", display_path(path)));
        }
    }
    if !is_allowed && !gone.is_empty() {
        print_line("Delete these files with --prune, or import their workflows with sluice import.");
    }
    Ok(())
}
