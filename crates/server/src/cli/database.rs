//! Arguments of commands that open the database.

use clap::Args;
use sluice_persistence::{Database, OpenError, Options};

use super::log::LogArgs;
use crate::error::Result;

#[derive(Debug, Args)]
pub(crate) struct DatabaseArgs {
    /// Database URL: `sqlite://FILE`, created if missing, or `postgres://USER:PASSWORD@HOST/DATABASE`.
    // Not shown in `--help`: the value can contain a password.
    #[arg(long, env = "SLUICE_DATABASE_URL", hide_env_values = true, default_value = "sqlite://sluice.db")]
    pub(crate) database_url: String,
    /// Maximum size of the SQLite file, in bytes, without its write-ahead log. Unlimited by default.
    #[arg(long, env = "SLUICE_SQLITE_MAX_BYTES")]
    pub(crate) sqlite_max_bytes: Option<u64>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

impl DatabaseArgs {
    /// Returns the options for opening the database.
    pub(crate) fn options(&self) -> Options {
        let options = Options::new(self.database_url.clone());
        Options { max_bytes: self.sqlite_max_bytes, ..options }
    }
}

/// Runs an operation on the database, which must not be in use by a server.
pub(crate) fn with_database<T>(
    args: &DatabaseArgs,
    operation: impl AsyncFnOnce(&Database) -> Result<T>,
) -> Result<T> {
    args.log.init()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let database = Database::open(args.options()).await.map_err(explain_lock)?;
        let result = operation(&database).await;
        database.close().await;
        result
    })
}

fn explain_lock(error: OpenError) -> crate::error::Error {
    if !matches!(error, OpenError::Locked { .. }) {
        return error.into();
    }
    let alternative =
        "Or use the API of the running server: GET /wf/{workflow_id}/export/ and POST /wf/import/";
    format!("{error} {alternative}.").into()
}
