//! Arguments for the locations of everything that a server stores.

use std::path::PathBuf;

use clap::Args;

use super::database::DatabaseArgs;

/// Exit code of `backup` and `restore` on a PostgreSQL database, which has its own tools.
pub(crate) const BACKUP_UNSUPPORTED: u8 = 2;

#[derive(Debug, Args)]
pub(crate) struct StorageArgs {
    /// Folder of the uploaded files.
    #[arg(long, env = "SLUICE_DATA_DIR", default_value = "./data")]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}
