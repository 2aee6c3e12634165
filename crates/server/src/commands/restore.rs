//! `sluice restore`: replaces the database and the uploaded files with those of a backup.
//!
//! The restore unpacks and verifies the backup next to the data, without changing the data. Then it commits: no server
//! starts until the restore has replaced the files and, last, the database. A restore that is interrupted after the
//! commit must be run again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use sluice_api::FILE_FOLDERS;
use sluice_persistence::durable_fs::{parent, sync_folder};
use sluice_persistence::{OpenError, PendingRestore, SqliteFile};

use super::backup_archive::{
    Checksums, Entry, FORMAT, FORMAT_VERSION, HashingReader, MAX_MANIFEST, Manifest,
};
use crate::cli::output::{count, print_error, print_line};
use crate::cli::{BACKUP_UNSUPPORTED, StorageArgs};
use crate::error::{Error, Result, io_error};
use crate::failpoint::reach;

/// Folder for unpacked files. It is in the data folder, so that moving them is a rename.
const UNPACK_FOLDER: &str = ".restoring";

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Archive written by `sluice backup`.
    file: PathBuf,
    /// Replace the existing database and uploaded files, which are deleted.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

/// Restores a backup.
pub(super) fn run(args: &RestoreArgs) -> Result<ExitCode> {
    let StorageArgs { data_dir, database } = &args.storage;
    database.log.init()?;
    let Some(target) = SqliteFile::from_url(&database.database_url)? else {
        print_error(
            "`restore` supports only SQLite; for PostgreSQL, use pg_restore or psql and copy the data folder",
        );
        return Ok(ExitCode::from(BACKUP_UNSUPPORTED));
    };
    let archive = File::open(&args.file).map_err(io_error("read", &args.file))?;
    let replace_error = io_error("replace", target.path());
    let database_path = target.path().to_owned();
    let replacement = target.begin_restore()?;
    if !args.force && !replacement.was_interrupted() {
        check_is_empty(&replacement, &database_path, data_dir)?;
    }
    let unpacked = Unpacked {
        database: replacement.staging_path().map_err(&replace_error)?,
        files: data_dir.join(UNPACK_FOLDER),
    };
    let (manifest, checksums) = unpacked.fill(archive, &args.file)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let snapshot = runtime.block_on(replacement.check()).map_err(|error| explain_schema(error, &manifest))?;
    reach("restore_unpacked");
    replacement.commit().map_err(&replace_error)?;
    reach("restore_committed");
    unpacked.move_files(data_dir).map_err(io_error("write to", data_dir))?;
    reach("restore_files");
    replacement.finish().map_err(replace_error)?;
    let workflows = count(snapshot.workflows.len(), "workflow");
    let files = count(checksums.file_count(), "file");
    print_line(&format!("Restored the backup of {}: {workflows}, {files}.", manifest.made_at));
    Ok(ExitCode::SUCCESS)
}

fn check_is_empty(replacement: &PendingRestore, database: &Path, data_dir: &Path) -> Result<()> {
    if replacement.replaces_database() {
        let database = database.display();
        return Err(format!(
            "a database already exists at {database}; set another --database-url, or replace it with --force"
        )
        .into());
    }
    for folder in FILE_FOLDERS.map(|folder| data_dir.join(folder)) {
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            let folder = folder.display();
            return Err(format!(
                "{folder} already contains files; set another --data-dir, or replace them with --force"
            )
            .into());
        }
    }
    Ok(())
}

fn explain_schema(error: OpenError, manifest: &Manifest) -> Error {
    if !matches!(error, OpenError::NewerSchema { .. }) {
        return error.into();
    }
    format!(
        "the backup was created by sluice {}, which is newer than this one; upgrade sluice",
        manifest.sluice
    )
    .into()
}

/// An unpacked backup. The remaining files are removed when it is dropped.
struct Unpacked {
    database: PathBuf,
    files: PathBuf,
}

impl Unpacked {
    /// Unpacks and verifies an archive. An error leaves the data of the server unchanged.
    fn fill(&self, archive: File, path: &Path) -> Result<(Manifest, Checksums)> {
        remove_folder(&self.files).map_err(io_error("remove", &self.files))?;
        fs::create_dir_all(&self.files).map_err(io_error("create the folder", &self.files))?;
        let unpacked = self.unpack(archive).and_then(|unpacked| {
            self.sync()?;
            Ok(unpacked)
        });
        unpacked.map_err(|error| {
            let problem = match error {
                UnpackError::Invalid(problem) => problem,
                UnpackError::Io(error) => format!("can't be unpacked: {error}"),
            };
            format!("{} {problem}; nothing was changed", path.display()).into()
        })
    }

    fn unpack(&self, archive: File) -> Result<(Manifest, Checksums), UnpackError> {
        let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 20, archive));
        let (mut manifest, mut checksums, mut expected) = (None, Checksums::default(), None);
        for entry in archive.entries()? {
            let content =
                entry.map_err(|_| if manifest.is_none() { not_a_backup() } else { truncated_archive() })?;
            let entry = parse_entry(&content).filter(|_| expected.is_none()).ok_or_else(not_a_backup)?;
            if manifest.is_none() && entry != Entry::Manifest {
                return Err(not_a_backup());
            }
            let mut content = HashingReader::new(content);
            match &entry {
                Entry::Manifest => manifest = Some(read_manifest(&mut content)?),
                Entry::Database => write_file(&mut content, &self.database)?,
                Entry::Checksums => expected = Some(io::read_to_string(&mut content)?),
                Entry::File { .. } => {
                    let path = entry.path_in_data_dir().ok_or_else(not_a_backup)?;
                    write_file(&mut content, &self.files.join(path))?;
                }
            }
            if expected.is_none() && !checksums.insert(&entry, content.finish().1) {
                return Err(UnpackError::Invalid(format!("contains {} twice", entry.path())));
            }
        }
        let expected = expected.as_deref().and_then(Checksums::from_text).ok_or_else(truncated_archive)?;
        if let Some(path) = checksums.first_difference(&expected) {
            return Err(UnpackError::Invalid(format!("is corrupt: the checksum of {path} does not match")));
        }
        Ok((manifest.ok_or_else(not_a_backup)?, checksums))
    }

    /// Makes the folders durable. The files in them already are.
    fn sync(&self) -> io::Result<()> {
        for folder in FILE_FOLDERS.map(|folder| self.files.join(folder)) {
            if folder.exists() {
                sync_folder(&folder)?;
            }
        }
        sync_folder(&self.files)
    }

    /// Replaces the files of the server.
    fn move_files(&self, data_dir: &Path) -> io::Result<()> {
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
        sync_folder(parent(data_dir))
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // The next restore removes what remains.
        let _ = remove_folder(&self.files);
        let _ = fs::remove_file(&self.database);
    }
}

/// A failure to unpack a backup.
enum UnpackError {
    /// The archive is not a valid backup.
    Invalid(String),
    Io(io::Error),
}

impl From<io::Error> for UnpackError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { truncated_archive() } else { Self::Io(error) }
    }
}

fn not_a_backup() -> UnpackError {
    UnpackError::Invalid("is not a backup of sluice".to_owned())
}

fn truncated_archive() -> UnpackError {
    UnpackError::Invalid("is truncated or corrupt".to_owned())
}

/// Returns the kind of an entry, or `None` if a backup can't contain it.
fn parse_entry<R: Read>(entry: &tar::Entry<'_, R>) -> Option<Entry> {
    let path = entry.path().ok()?;
    path.to_str().and_then(Entry::from_path).filter(|_| entry.header().entry_type().is_file())
}

fn read_manifest(content: &mut impl Read) -> Result<Manifest, UnpackError> {
    let text = io::read_to_string(content.take(MAX_MANIFEST))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|_| not_a_backup())?;
    if manifest.format != FORMAT {
        return Err(not_a_backup());
    }
    if manifest.format_version != FORMAT_VERSION {
        return Err(UnpackError::Invalid(format!(
            "has format version {} of sluice {}; this release supports version {FORMAT_VERSION}",
            manifest.format_version, manifest.sluice
        )));
    }
    Ok(manifest)
}

/// Writes a new file durably.
fn write_file(content: &mut impl Read, path: &Path) -> io::Result<()> {
    let folder = parent(path);
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
