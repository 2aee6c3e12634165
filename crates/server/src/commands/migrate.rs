//! `sluice migrate`.

use sluice_persistence::Database;
use tracing::info;

use crate::cli::DatabaseArgs;
use crate::error::Result;

/// Migrates the database to the schema of this release.
pub(super) fn run(args: &DatabaseArgs) -> Result<()> {
    args.log.init()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let applied = runtime.block_on(Database::migrate(args.options()))?;
    info!(applied = applied.len(), "database migrated");
    Ok(())
}
