//! `sluice export`: writes what the database has into the files of a folder.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sluice_engine::StoreError;
use sluice_persistence::Database;
use uuid::Uuid;

use super::files::{self, Identity};
use super::{Failure, counted, on_database, say, shown};
use crate::cli::ExportArgs;
use crate::serve;

/// Writes every workflow of the database into a folder.
pub(crate) fn export(args: &ExportArgs) -> Result<ExitCode, Failure> {
    // A wrong URL shall not look like a database whose workflows are all gone.
    if serve::options(&args.database).names_a_new_file() {
        return Err("there is no such database file; name another one with --database-url".into());
    }
    std::fs::create_dir_all(&args.folder)
        .map_err(|error| format!("can't make the folder {}: {error}", shown(&args.folder)))?;
    on_database(&args.database, async |database| all(database, args).await)
}

/// What became of the files.
#[derive(Default)]
struct Counts {
    written: usize,
    unchanged: usize,
    failed: usize,
}

async fn all(database: &Database, args: &ExportArgs) -> Result<ExitCode, Failure> {
    let workflows = database.workflow_names().await?;
    let mut folder = Folder::read(&args.folder, &workflows)?;
    let mut counts = Counts::default();
    for (id, name) in &workflows {
        let done = match database.workflow_document(*id, args.versions).await {
            // One that was deleted meanwhile has no file.
            Ok(None) => continue,
            Ok(Some((_, document))) => folder.put((*id, name), &document.to_file(), &mut counts)?,
            Err(error @ StoreError::Unreadable { .. }) => Err(error.to_string()),
            Err(StoreError::PageTooLarge(bytes)) => {
                Err(format!("its versions hold more than {bytes} bytes; export it without --versions"))
            }
            Err(error) => return Err(error.into()),
        };
        if let Err(why) = done {
            counts.failed += 1;
            say(&format!("error: {name:?} ({id}) is not exported: {why}"));
        }
    }
    folder.tell_of_doubles();
    forget(&folder.gone, args.prune)?;
    say(&format!("{} written, {} unchanged.", counted(counts.written, "file"), counts.unchanged));
    if counts.failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("{} not exported.", counted(counts.failed, "workflow")));
    Ok(ExitCode::FAILURE)
}

/// The folder, and what its files stand for.
struct Folder {
    path: PathBuf,
    /// The file of each workflow.
    own: HashMap<Uuid, PathBuf>,
    /// Files that stand for a workflow which has one, with that.
    doubles: BTreeMap<PathBuf, Uuid>,
    /// Documents of workflows that the database doesn't have.
    gone: Vec<PathBuf>,
    /// The names of workflows' files.
    of_workflows: HashSet<String>,
    /// The names that are in use, in small letters: some file systems don't tell them from capital ones.
    taken: HashSet<String>,
}

impl Folder {
    /// Finds the file of each workflow: the one that an import would take for it.
    fn read(path: &Path, workflows: &[(Uuid, String)]) -> Result<Self, Failure> {
        let failed = |error| format!("can't read the folder {}: {error}", shown(path));
        let mut folder = Self {
            path: path.to_owned(),
            own: HashMap::new(),
            doubles: BTreeMap::new(),
            gone: Vec::new(),
            of_workflows: HashSet::new(),
            taken: files::entries(path).map_err(failed)?,
        };
        let ids: HashSet<Uuid> = workflows.iter().map(|(id, _)| *id).collect();
        let owners: HashMap<&str, Uuid> = workflows.iter().map(|(id, name)| (name.as_str(), *id)).collect();
        let mut by_name = Vec::new();
        for file in files::list(path).map_err(failed)? {
            match files::identity(&file) {
                Some(Identity { id: Some(id), .. }) if ids.contains(&id) => folder.claim(id, file),
                Some(identity) => by_name.push((identity, file)),
                None => {}
            }
        }
        let by_id: HashSet<Uuid> = folder.own.keys().copied().collect();
        for (Identity { id, name }, file) in by_name {
            match name.and_then(|name| owners.get(name.as_str()).copied()) {
                Some(owner) if id.is_none() || !by_id.contains(&owner) => folder.claim(owner, file),
                _ if id.is_some() => folder.gone.push(file),
                _ => {}
            }
        }
        let own = folder.own.values().filter_map(|own| named(own));
        folder.of_workflows = own.map(str::to_lowercase).collect();
        Ok(folder)
    }

    /// Makes a file that of a workflow, or one of those that there are too many.
    fn claim(&mut self, id: Uuid, file: PathBuf) {
        let is_given = |file: &Path| named(file).is_some_and(|name| files::is_given(name, id));
        let double = match self.own.get_mut(&id) {
            None => {
                self.own.insert(id, file);
                return;
            }
            Some(own) if is_given(&file) && !is_given(own) => std::mem::replace(own, file),
            Some(_) => file,
        };
        self.doubles.insert(double, id);
    }

    /// Brings the file of a workflow to what it shall be. Inside is why it can't be.
    fn put(
        &mut self,
        (id, name): (Uuid, &str),
        text: &str,
        counts: &mut Counts,
    ) -> Result<Result<(), String>, Failure> {
        let (path, is_new) = match self.own.get(&id).cloned() {
            Some(own) => (self.renamed(id, name, own)?, false),
            None => match self.place(id, name) {
                Ok(path) => (path, true),
                Err(stranger) => {
                    let why = format!("{} is no file of it; mend it, or move it away", shown(&stranger));
                    return Ok(Err(why));
                }
            },
        };
        if !is_new && std::fs::read_to_string(&path).is_ok_and(|is| is == text) {
            counts.unchanged += 1;
        } else {
            files::write(&path, text).map_err(|error| format!("can't write {}: {error}", shown(&path)))?;
            counts.written += 1;
            say(&format!("{}  {}", if is_new { "created" } else { "changed" }, shown(&path)));
        }
        self.own.insert(id, path);
        Ok(Ok(()))
    }

    /// Where the file of a workflow goes that has none; or what stands there already, and is nobody's file.
    fn place(&mut self, id: Uuid, name: &str) -> Result<PathBuf, PathBuf> {
        let names = files::names(name, id);
        let free = names.iter().find(|name| !self.of_workflows.contains(*name)).unwrap_or(&names[1]);
        let path = self.path.join(free);
        if !self.taken.insert(free.clone()) {
            return Err(path);
        }
        self.of_workflows.insert(free.clone());
        Ok(path)
    }

    /// Lets a file that an export has named go with the name of its workflow. Others stay what people call them.
    fn renamed(&mut self, id: Uuid, name: &str, own: PathBuf) -> Result<PathBuf, Failure> {
        let names = files::names(name, id);
        let is_fine =
            named(&own).is_none_or(|file| !files::is_given(file, id) || names.iter().any(|n| n == file));
        let Some(free) = names.into_iter().find(|name| !is_fine && !self.taken.contains(name)) else {
            return Ok(own);
        };
        let path = self.path.join(&free);
        std::fs::rename(&own, &path).map_err(|error| format!("can't rename {}: {error}", shown(&own)))?;
        say(&format!("renamed  {} is now {}", shown(&own), shown(&path)));
        self.taken.insert(free.clone());
        self.of_workflows.insert(free);
        Ok(path)
    }

    /// Tells of files that an import will refuse because there are others of the same workflow.
    fn tell_of_doubles(&self) {
        for (double, id) in &self.doubles {
            let own = self.own.get(id).map(|own| shown(own)).unwrap_or_default();
            let double = shown(double);
            say(&format!("double   {double}: {own} holds the same workflow; keep one of them"));
        }
    }
}

fn named(file: &Path) -> Option<&str> {
    file.file_name()?.to_str()
}

/// Deletes the files of workflows that are no more, or tells of them.
fn forget(gone: &[PathBuf], prune: bool) -> Result<(), Failure> {
    for path in gone {
        if prune {
            std::fs::remove_file(path).map_err(|error| format!("can't delete {}: {error}", shown(path)))?;
            say(&format!("deleted  {}", shown(path)));
        } else {
            say(&format!("gone     {}: the database has no such workflow", shown(path)));
        }
    }
    if !prune && !gone.is_empty() {
        say("Delete these files with --prune, or create their workflows with sluice import.");
    }
    Ok(())
}
