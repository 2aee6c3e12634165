//! `sluice backup`.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use sluice_api::FILE_FOLDERS;
use sluice_engine::clock;
use sluice_persistence::Snapshot;
use tempfile::{TempDir, TempPath};
use uuid::Uuid;

use super::archive::{FORMAT, Hashed, Manifest, Part, Sums, VERSION, is_plain};
use super::{BackupArgs, Failure, about, folder_of, reach, say, sync_folder, wait};

/// How the names of the files end that belong to a database, behind its own.
const BESIDE: [&str; 7] = ["", "-wal", "-shm", "-journal", ".lock", ".incoming", ".replacement"];

/// How the names of folders begin in which a backup is being written.
const UNFINISHED: &str = ".sluice-backup-";

/// Writes the database and the files of its workflows into one file.
pub(crate) fn backup(args: &BackupArgs) -> Result<ExitCode, Failure> {
    let source = match args.place.sqlite("pg_dump")? {
        Ok(source) => source,
        Err(code) => return Ok(code),
    };
    if !source.path().exists() {
        return Err("there is no such database file; name another one with --database-url".into());
    }
    if args.file.exists() && !args.force {
        return Err(is_there(&args.file));
    }
    if !args.place.data_dir.is_dir() {
        let sentence = "there is no such folder of uploaded files; name the server's with --data-dir";
        return Err(format!("{}: {sentence}", args.place.data_dir.display()).into());
    }
    if is_in_use(&args.file, source.path(), &args.place.data_dir).map_err(about("write", &args.file))? {
        return Err(format!("{} belongs to the server; name another file", args.file.display()).into());
    }
    let staging = Staging::beside(&args.file).map_err(about("write beside", &args.file))?;
    let copy = staging.folder.path().join("database");
    // The database first: whatever file a row of it names is on disk by then.
    let snapshot = wait(source.copy_to(&copy))??;
    reach("backup_copied");
    let archive = staging.folder.path().join("archive");
    let sums = write(&archive, &copy, &snapshot, &args.place.data_dir)?;
    reach("backup_written");
    put(archive, args)?;
    let (workflows, files) = (snapshot.workflows.len(), sums.files());
    say(&format!("{}: workflows: {workflows}, files: {files}.", args.file.display()));
    Ok(ExitCode::SUCCESS)
}

/// Whether a server works with a file of this name: its database, what is beside that, or a file of a workflow.
fn is_in_use(file: &Path, database: &Path, data_dir: &Path) -> io::Result<bool> {
    let folder = folder_of(file).canonicalize()?;
    let name = file.file_name().unwrap_or_default();
    let is_beside = folder_of(database).canonicalize()? == folder;
    let leads_to_it = file.canonicalize().is_ok_and(|file| file == database);
    let of_database = |end: &str| {
        let mut own = database.file_name().unwrap_or_default().to_owned();
        own.push(end);
        own == name
    };
    let data_dir = data_dir.canonicalize()?;
    let is_upload = FILE_FOLDERS.iter().any(|kind| folder.starts_with(data_dir.join(kind)));
    Ok(leads_to_it || is_upload || is_beside && BESIDE.iter().any(|end| of_database(end)))
}

fn is_there(file: &Path) -> Failure {
    format!("{} is there already; name another file, or replace it with --force", file.display()).into()
}

/// Gives the archive its name. Before that there is nothing under it, or what was there before.
fn put(archive: std::path::PathBuf, args: &BackupArgs) -> Result<(), Failure> {
    let failed = about("write", &args.file);
    if args.force {
        fs::rename(archive, &args.file).map_err(&failed)?;
    } else {
        let archive = TempPath::try_from_path(archive).map_err(&failed)?;
        archive.persist_noclobber(&args.file).map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => is_there(&args.file),
            _ => failed(refused.error),
        })?;
    }
    sync_folder(folder_of(&args.file)).map_err(failed)
}

fn write(archive: &Path, copy: &Path, snapshot: &Snapshot, data_dir: &Path) -> Result<Sums, Failure> {
    let failed = about("write", archive);
    // It holds everything that the server was told.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(archive).map_err(&failed)?;
    let mut writer =
        Writer { tar: tar::Builder::new(io::BufWriter::with_capacity(1 << 20, file)), sums: Sums::default() };
    writer.text(Part::Manifest, &serde_json::to_string_pretty(&manifest(snapshot))?).map_err(&failed)?;
    writer.file(Part::Database, copy).map_err(&failed)?;
    // What it takes up is needed for nothing more.
    fs::remove_file(copy).map_err(about("remove", copy))?;
    for workflow in &snapshot.workflows {
        for folder in FILE_FOLDERS {
            files(&mut writer, data_dir, folder, *workflow)?;
        }
    }
    writer.end().map_err(failed)
}

fn manifest(snapshot: &Snapshot) -> Manifest {
    Manifest {
        format: FORMAT.to_owned(),
        format_version: VERSION,
        sluice: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: clock::now(),
        schema: snapshot.schema.clone(),
        workflows: snapshot.workflows.len(),
    }
}

/// The files of a workflow. Of one that is deleted meanwhile, those that are still there.
fn files(writer: &mut Writer, data_dir: &Path, folder: &'static str, workflow: Uuid) -> Result<(), Failure> {
    let path = data_dir.join(folder).join(workflow.to_string());
    let failed = about("read", &path);
    let entries = match fs::read_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(&failed)?,
    };
    for entry in entries {
        let path = entry.map_err(&failed)?.path();
        if !fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file()) {
            continue;
        }
        let name = path.file_name().and_then(OsStr::to_str).filter(|name| is_plain(name));
        let name = name.ok_or_else(|| format!("{path:?} is no file of a workflow; move it away"))?;
        match writer.file(Part::File(folder, workflow, name.to_owned()), &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            written => written.map_err(about("copy", &path))?,
        }
    }
    Ok(())
}

/// Writes entries and keeps their checksums.
struct Writer {
    tar: tar::Builder<io::BufWriter<File>>,
    sums: Sums,
}

impl Writer {
    fn text(&mut self, part: Part, text: &str) -> io::Result<()> {
        self.entry(part, text.len() as u64, text.as_bytes())
    }

    fn file(&mut self, part: Part, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        self.entry(part, size, file)
    }

    fn entry(&mut self, part: Part, size: u64, content: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(clock::now().timestamp().unsigned_abs());
        let mut content = Hashed::new(content.take(size));
        self.tar.append_data(&mut header, part.name(), &mut content)?;
        let (bytes, sum) = content.end();
        if bytes != size {
            return Err(io::Error::other("it has become shorter meanwhile"));
        }
        self.sums.add(&part, sum);
        Ok(())
    }

    /// Ends the archive and makes it durable.
    fn end(mut self) -> io::Result<Sums> {
        let sums = std::mem::take(&mut self.sums);
        self.text(Part::Sums, &sums.to_text())?;
        let mut buffer = self.tar.into_inner()?;
        buffer.flush()?;
        buffer.get_ref().sync_all()?;
        Ok(sums)
    }
}

/// A folder beside the file, in which it is written. It goes when it is dropped; when the process dies before, the next
/// backup into the same folder removes it.
struct Staging {
    folder: TempDir,
    // Never read: it tells others that this one is in use.
    _lock: File,
}

impl Staging {
    fn beside(file: &Path) -> io::Result<Self> {
        let parent = folder_of(file);
        remove_abandoned(parent)?;
        let folder = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(parent)?;
        let lock = File::open(folder.path())?;
        lock.try_lock()?;
        Ok(Self { folder, _lock: lock })
    }
}

/// Removes the folders that dead processes left behind.
fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_unfinished = entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes());
        if is_unfinished && entry.file_type()?.is_dir() && File::open(entry.path())?.try_lock().is_ok() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
