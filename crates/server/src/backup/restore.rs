//! `sluice restore`. First everything is unpacked beside its place and checked; then, from one moment on, it is what
//! counts, and is put in its place: the files, and the database last. Whoever is cut off before that moment has
//! changed nothing. After it no server starts until the restore was done again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sluice_api::FILE_FOLDERS;
use sluice_persistence::{OpenError, Replacing};

use super::archive::{FORMAT, Hashed, MAX_MANIFEST, Manifest, Part, Sums, VERSION};
use super::{Failure, RestoreArgs, about, folder_of, reach, say, sync_folder, wait};

/// Where files are unpacked, in the data folder, so that they are moved within one file system.
const UNPACKED: &str = ".restoring";

/// Puts what a backup holds in the place of a server.
pub(crate) fn restore(args: &RestoreArgs) -> Result<ExitCode, Failure> {
    let target = match args.place.sqlite("pg_restore or psql")? {
        Ok(target) => target,
        Err(code) => return Ok(code),
    };
    let backup = File::open(&args.file).map_err(about("read", &args.file))?;
    let data_dir = &args.place.data_dir;
    let failed = about("replace", target.path());
    let place = target.replace()?;
    if !args.force && !place.was_cut_off() {
        refuse_what_is_there(&place, data_dir)?;
    }
    let unpacked = Unpacked { database: place.incoming().map_err(&failed)?, files: data_dir.join(UNPACKED) };
    let (manifest, sums) = unpacked.fill(backup, &args.file)?;
    let snapshot = wait(place.check())?.map_err(|error| match error {
        OpenError::NewerSchema { .. } => {
            format!("The backup was made by sluice {}, which is newer. Upgrade sluice.", manifest.sluice)
                .into()
        }
        error => Failure::from(error),
    })?;
    reach("restore_unpacked");
    place.commit().map_err(&failed)?;
    reach("restore_committed");
    unpacked.put_files(data_dir).map_err(about("write into", data_dir))?;
    reach("restore_files");
    place.finish().map_err(failed)?;
    let (workflows, files, at) = (snapshot.workflows.len(), sums.files(), manifest.made_at);
    say(&format!("Restored what was there at {at}: workflows: {workflows}, files: {files}."));
    Ok(ExitCode::SUCCESS)
}

fn refuse_what_is_there(place: &Replacing, data_dir: &Path) -> Result<(), Failure> {
    if place.is_taken() {
        return Err("there is a database already; name another place, or replace it with --force".into());
    }
    for folder in FILE_FOLDERS.map(|folder| data_dir.join(folder)) {
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            let folder = folder.display();
            return Err(format!(
                "there are files in {folder}; name another --data-dir, or replace them with --force"
            )
            .into());
        }
    }
    Ok(())
}

/// Where a backup is unpacked. What is still there when it is dropped is removed.
struct Unpacked {
    database: PathBuf,
    files: PathBuf,
}

impl Unpacked {
    /// Unpacks everything and compares its checksums.
    fn fill(&self, backup: File, file: &Path) -> Result<(Manifest, Sums), Failure> {
        remove_folder(&self.files).map_err(about("remove", &self.files))?;
        fs::create_dir_all(&self.files).map_err(about("make the folder", &self.files))?;
        let damaged = |what: String| format!("{} {what}; nothing was changed", file.display());
        let filled = self.unpack(backup).and_then(|filled| Ok(self.make_durable().map(|()| filled)?));
        filled.map_err(|wrong| match wrong {
            Wrong::Backup(what) => damaged(what).into(),
            Wrong::Io(error) => damaged(format!("can't be unpacked: {error}")).into(),
        })
    }

    fn unpack(&self, backup: File) -> Result<(Manifest, Sums), Wrong> {
        let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 20, backup));
        let (mut manifest, mut sums, mut wanted) = (None, Sums::default(), None);
        for entry in archive.entries()? {
            let entry = entry.map_err(|_| if manifest.is_none() { foreign() } else { cut_short() })?;
            let part = part(&entry).filter(|_| wanted.is_none()).ok_or_else(foreign)?;
            if manifest.is_none() && part != Part::Manifest {
                return Err(foreign());
            }
            let mut content = Hashed::new(entry);
            match &part {
                Part::Manifest => manifest = Some(read_manifest(&mut content)?),
                Part::Database => keep(&mut content, &self.database)?,
                Part::Sums => wanted = Some(io::read_to_string(&mut content)?),
                Part::File(..) => {
                    let place = part.place().map(|place| self.files.join(place));
                    keep(&mut content, &place.ok_or_else(foreign)?)?;
                }
            }
            if wanted.is_none() && !sums.add(&part, content.end().1) {
                return Err(Wrong::Backup(format!("has {} twice", part.name())));
            }
        }
        let wanted = wanted.as_deref().and_then(Sums::parse).ok_or_else(cut_short)?;
        if let Some(name) = sums.first_difference(&wanted) {
            return Err(Wrong::Backup(format!("is damaged: {name} is not what was put into it")));
        }
        Ok((manifest.ok_or_else(foreign)?, sums))
    }

    /// The files are already; now their folders.
    fn make_durable(&self) -> io::Result<()> {
        for folder in FILE_FOLDERS.map(|folder| self.files.join(folder)) {
            if folder.exists() {
                sync_folder(&folder)?;
            }
        }
        sync_folder(&self.files)
    }

    /// Puts the files in the place of those that are there.
    fn put_files(&self, data_dir: &Path) -> io::Result<()> {
        for folder in FILE_FOLDERS {
            let (from, to) = (self.files.join(folder), data_dir.join(folder));
            remove_folder(&to)?;
            if from.exists() {
                fs::rename(from, to)?;
            }
        }
        remove_folder(&self.files)?;
        sync_folder(data_dir)?;
        // The data folder itself may be new.
        sync_folder(folder_of(data_dir))
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // What can't be removed now is removed by the next restore.
        let _ = remove_folder(&self.files);
        let _ = fs::remove_file(&self.database);
    }
}

/// Why a backup can't be unpacked.
enum Wrong {
    Backup(String),
    Io(io::Error),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        // A file that ends too early is not the disk's fault.
        if error.kind() == io::ErrorKind::UnexpectedEof { cut_short() } else { Self::Io(error) }
    }
}

fn foreign() -> Wrong {
    Wrong::Backup("is no backup of sluice".to_owned())
}

fn cut_short() -> Wrong {
    Wrong::Backup("is not whole: its end is missing, or it is damaged".to_owned())
}

/// What an entry is; none when it has no business in a backup.
fn part<R: Read>(entry: &tar::Entry<'_, R>) -> Option<Part> {
    let path = entry.path().ok()?;
    path.to_str().and_then(Part::named).filter(|_| entry.header().entry_type().is_file())
}

fn read_manifest(content: &mut impl Read) -> Result<Manifest, Wrong> {
    let text = io::read_to_string(content.take(MAX_MANIFEST))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|_| foreign())?;
    if manifest.format != FORMAT {
        return Err(foreign());
    }
    if manifest.format_version != VERSION {
        let (form, sluice) = (manifest.format_version, manifest.sluice);
        return Err(Wrong::Backup(format!(
            "has the form {form} of sluice {sluice}, which this one doesn't know"
        )));
    }
    Ok(manifest)
}

/// Writes a new file, durably.
fn keep(content: &mut impl Read, path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    let mut file = File::options().write(true).create_new(true).open(path)?;
    io::copy(content, &mut file)?;
    file.sync_all()?;
    sync_folder(folder)
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
