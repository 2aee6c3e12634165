//! The write probe: a health check that writes to the database.

use std::time::Duration;

use sea_orm::{DatabaseTransaction, EntityTrait, IntoActiveModel as _};
use sluice_engine::StoreError;
use tokio::time::timeout;

use super::Writer;
use crate::change::{Change, Fault};
use crate::entity::probe;
use crate::error::WriteError;

/// Timeout of the probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// Size of the row, in bytes. It occupies several pages, which a full database doesn't have.
const PROBE_BYTES: usize = 64 << 10;

/// A change that inserts a row and deletes it.
struct WriteProbe;

impl Change for WriteProbe {
    type Output = ();

    const CHANGES_VERSIONS: bool = false;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        let row = probe::Model { id: 1, filler: "x".repeat(PROBE_BYTES) };
        probe::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
        probe::Entity::delete_many().exec(tx).await?;
        Ok(())
    }
}

/// Checks that the database is writable.
pub(crate) async fn check(writer: &Writer) -> Result<(), StoreError> {
    match timeout(PROBE_TIMEOUT, writer.change(WriteProbe)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(WriteError::Store(error))) => Err(error),
        // The probe is never rejected.
        Ok(Err(error)) => Err(StoreError::Failed(Box::new(error))),
        Err(_) => Err(StoreError::Unavailable("timeout of the write probe".into())),
    }
}
