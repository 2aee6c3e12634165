//! `sluice backup` and `sluice restore`: all of a server, its SQLite database and its files, as one file.

mod archive;
mod create;
mod restore;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use sluice_persistence::SqliteFile;

use crate::cli::DatabaseArgs;

pub(crate) use create::backup;
pub(crate) use restore::restore;

type Failure = Box<dyn std::error::Error>;

/// The exit code when the database is one that other tools back up.
const ELSEWHERE: u8 = 2;

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to write: a tar archive, beside which there must be room for it and for the database.
    pub(crate) file: PathBuf,
    /// Replace the file when it is there.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The file that `sluice backup` wrote.
    pub(crate) file: PathBuf,
    /// Replace the database and the files of workflows that are there. They are gone then.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// What a server keeps, and where.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// Where uploaded files are kept.
    #[arg(long, env = "SLUICE_DATA_DIR", default_value = "./data")]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

impl PlaceArgs {
    /// The file of the database; an exit code when it has none.
    fn sqlite(&self, instead: &str) -> Result<Result<SqliteFile, ExitCode>, Failure> {
        crate::log::start(&self.database.log, self.database.log_format)?;
        let file = SqliteFile::of(&self.database.database_url)?;
        Ok(file.ok_or_else(|| {
            let sentence = format!("PostgreSQL has its own tools: use {instead}, and copy the data folder.");
            // There is nowhere left to tell that this failed.
            let _ = writeln!(io::stderr(), "sluice: {sentence}");
            ExitCode::from(ELSEWHERE)
        }))
    }
}

/// Runs what has to be waited for.
fn wait<T>(work: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}

/// Where test builds die, when the variable `FAILPOINTS` says so.
#[cfg(feature = "failpoints")]
fn reach(point: &str) {
    fail::fail_point!(point, |_| std::process::abort());
}

#[cfg(not(feature = "failpoints"))]
fn reach(_: &str) {}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// The folder that a path lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// An error with what it was about.
fn about(what: &str, path: &Path) -> impl Fn(io::Error) -> Failure + use<> {
    let what = format!("can't {what} {}", path.display());
    move |error| format!("{what}: {error}").into()
}

fn say(line: &str) {
    // A closed pipe takes nothing more.
    let _ = writeln!(io::stdout(), "{line}");
}
