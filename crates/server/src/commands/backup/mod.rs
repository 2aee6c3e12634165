//! `sluice backup`: writes the SQLite database and the uploaded files to one archive.

mod staging;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use sluice_api::FILE_FOLDERS;
use sluice_engine::clock;
use sluice_persistence::durable_fs::{parent, sync_folder};
use sluice_persistence::{DatabaseContents, SqliteFile};
use tempfile::TempPath;
use uuid::Uuid;

use super::backup_archive::{
    Checksums, Entry, FORMAT, FORMAT_VERSION, HashingReader, Manifest, is_file_name,
};
use crate::cli::output::{count, print_error, print_line};
use crate::cli::{BACKUP_UNSUPPORTED, StorageArgs};
use crate::error::{Error, Result, io_error};
use crate::failpoint::reach;
use staging::Staging;

/// Suffixes of the files that belong to an SQLite database.
const DATABASE_SUFFIXES: [&str; 7] = ["", "-wal", "-shm", "-journal", ".lock", ".incoming", ".replacement"];

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Tar archive to write. Its folder needs space for the archive and a copy of the database.
    file: PathBuf,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

/// Creates a backup.
pub(super) fn run(args: &BackupArgs) -> Result<ExitCode> {
    let StorageArgs { data_dir, database } = &args.storage;
    database.log.init()?;
    let Some(source) = SqliteFile::from_url(&database.database_url)? else {
        print_error("`backup` supports only SQLite; for PostgreSQL, use pg_dump and copy the data folder");
        return Ok(ExitCode::from(BACKUP_UNSUPPORTED));
    };
    check_paths(args, source.path())?;
    let staging = Staging::create_beside(&args.file)
        .map_err(io_error("create a folder for temporary files beside", &args.file))?;
    let copy = staging.path("database");
    // The database is copied first, so every file that it refers to already exists.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let snapshot = runtime.block_on(source.copy_to(&copy))?;
    reach("backup_copied");
    let archive = staging.path("archive");
    let checksums = write_archive(&archive, &copy, &snapshot, data_dir)?;
    reach("backup_written");
    publish(archive, args)?;
    let workflows = count(snapshot.workflows.len(), "workflow");
    let files = count(checksums.file_count(), "file");
    print_line(&format!("{}: {workflows}, {files}.", args.file.display()));
    Ok(ExitCode::SUCCESS)
}

fn check_paths(args: &BackupArgs, database: &Path) -> Result<()> {
    let (file, data_dir) = (&args.file, &args.storage.data_dir);
    if !database.exists() {
        return Err(format!("no database file at {}; set --database-url", database.display()).into());
    }
    if file.exists() && !args.force {
        return Err(already_exists(file));
    }
    if !data_dir.is_dir() {
        return Err(format!("no data folder at {}; set --data-dir", data_dir.display()).into());
    }
    if is_server_file(file, database, data_dir).map_err(io_error("write", file))? {
        return Err(format!("{} belongs to the server; choose another file", file.display()).into());
    }
    Ok(())
}

/// Returns true if `file` belongs to the database or is in a folder of uploaded files.
fn is_server_file(file: &Path, database: &Path, data_dir: &Path) -> io::Result<bool> {
    let folder = parent(file).canonicalize()?;
    if file.canonicalize().is_ok_and(|file| file == database) {
        return Ok(true);
    }
    let data_dir = data_dir.canonicalize()?;
    if FILE_FOLDERS.iter().any(|kind| folder.starts_with(data_dir.join(kind))) {
        return Ok(true);
    }
    let has_suffix = |suffix: &&str| {
        let mut name = database.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        file.file_name().unwrap_or_default() == name
    };
    Ok(parent(database).canonicalize()? == folder && DATABASE_SUFFIXES.iter().any(has_suffix))
}

fn already_exists(file: &Path) -> Error {
    format!("{} already exists; choose another file, or replace it with --force", file.display()).into()
}

/// Renames the complete archive to its final name.
fn publish(archive: PathBuf, args: &BackupArgs) -> Result<()> {
    let write_error = io_error("write", &args.file);
    if args.force {
        fs::rename(archive, &args.file).map_err(&write_error)?;
    } else {
        let archive = TempPath::try_from_path(archive).map_err(&write_error)?;
        archive.persist_noclobber(&args.file).map_err(|failure| match failure.error.kind() {
            io::ErrorKind::AlreadyExists => already_exists(&args.file),
            _ => write_error(failure.error),
        })?;
    }
    sync_folder(parent(&args.file)).map_err(write_error)
}

fn write_archive(
    archive: &Path,
    copy: &Path,
    snapshot: &DatabaseContents,
    data_dir: &Path,
) -> Result<Checksums> {
    let write_error = io_error("write", archive);
    // A backup contains everything that the server stores: only its owner may read it.
    let file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(archive).map_err(&write_error)?;
    let mut writer = ArchiveWriter {
        tar: tar::Builder::new(io::BufWriter::with_capacity(1 << 20, file)),
        checksums: Checksums::default(),
    };
    let manifest = serde_json::to_string_pretty(&manifest(snapshot))?;
    writer.append_text(Entry::Manifest, &manifest).map_err(&write_error)?;
    writer.append_file(Entry::Database, copy).map_err(&write_error)?;
    // Frees the space for the files that follow.
    fs::remove_file(copy).map_err(io_error("remove", copy))?;
    for workflow in &snapshot.workflows {
        for folder in FILE_FOLDERS {
            append_files(&mut writer, data_dir, folder, *workflow)?;
        }
    }
    writer.finish().map_err(write_error)
}

fn manifest(snapshot: &DatabaseContents) -> Manifest {
    Manifest {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        sluice: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: clock::now(),
        schema: snapshot.schema.clone(),
        workflows: snapshot.workflows.len(),
    }
}

/// Appends the files of a workflow. Files that the server deletes at the same time are skipped.
fn append_files(
    writer: &mut ArchiveWriter,
    data_dir: &Path,
    folder: &'static str,
    workflow: Uuid,
) -> Result<()> {
    let path = data_dir.join(folder).join(workflow.to_string());
    let read_error = io_error("read", &path);
    let entries = match fs::read_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(&read_error)?,
    };
    for entry in entries {
        let path = entry.map_err(&read_error)?.path();
        if !fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file()) {
            continue;
        }
        let name = path.file_name().and_then(OsStr::to_str).filter(|name| is_file_name(name));
        let name = name.ok_or_else(|| format!("{path:?} is not an uploaded file; move it elsewhere"))?;
        match writer.append_file(Entry::File { folder, workflow, name: name.to_owned() }, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result.map_err(io_error("copy", &path))?,
        }
    }
    Ok(())
}

/// Writes entries and records their checksums.
struct ArchiveWriter {
    tar: tar::Builder<io::BufWriter<File>>,
    checksums: Checksums,
}

impl ArchiveWriter {
    fn append_text(&mut self, entry: Entry, text: &str) -> io::Result<()> {
        self.append(entry, text.len() as u64, text.as_bytes())
    }

    fn append_file(&mut self, entry: Entry, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        self.append(entry, size, file)
    }

    fn append(&mut self, entry: Entry, size: u64, content: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(clock::now().timestamp().unsigned_abs());
        let mut content = HashingReader::new(content.take(size));
        self.tar.append_data(&mut header, entry.path(), &mut content)?;
        let (bytes, checksum) = content.finish();
        if bytes != size {
            return Err(io::Error::other("the file was truncated while it was copied"));
        }
        self.checksums.insert(&entry, checksum);
        Ok(())
    }

    /// Appends the checksums and makes the archive durable.
    fn finish(mut self) -> io::Result<Checksums> {
        let checksums = std::mem::take(&mut self.checksums);
        self.append_text(Entry::Checksums, &checksums.to_text())?;
        let mut buffer = self.tar.into_inner()?;
        buffer.flush()?;
        buffer.get_ref().sync_all()?;
        Ok(checksums)
    }
}
