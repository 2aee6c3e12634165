//! `sluice export` and `sluice import`: workflows as files, to be kept in git.

mod export;
mod files;
mod import;

use std::io::Write;
use std::path::Path;

use sluice_persistence::{Database, OpenError};

use crate::cli::DatabaseArgs;
use crate::{log, serve};

pub(crate) use export::export;
pub(crate) use import::import;

type Failure = Box<dyn std::error::Error>;

/// The database, which no server may be working on.
async fn open(args: &DatabaseArgs) -> Result<Database, Failure> {
    Database::open(serve::options(args)).await.map_err(|error| match error {
        OpenError::Locked { .. } => {
            let advice =
                "Or ask the server that runs on it: GET /wf/{workflow_id}/export/ and POST /wf/import/";
            format!("{error} {advice}.").into()
        }
        other => other.into(),
    })
}

/// Runs a command on the database, and closes it whatever came of it.
fn on_database<T>(
    args: &DatabaseArgs,
    command: impl AsyncFnOnce(&Database) -> Result<T, Failure>,
) -> Result<T, Failure> {
    log::start(&args.log, args.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let database = open(args).await?;
        let done = command(&database).await;
        database.close().await;
        done
    })
}

/// A path as it is shown: what its name holds shall not steer a terminal.
fn shown(path: &Path) -> String {
    let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    path.display().to_string().chars().map(plain).collect()
}

/// Prints a line; a closed pipe takes nothing more.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn counted(count: usize, noun: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{end}")
}
