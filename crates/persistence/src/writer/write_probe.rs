//! Trying whether the store can be written.

use std::time::Duration;

use sea_orm::{DatabaseTransaction, EntityTrait, Set};
use sluice_engine::StoreError;
use tokio::time::timeout;

use super::Writer;
use crate::change::{Change, Fault};
use crate::entity::probe;
use crate::error::WriteError;

/// How long a trial may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many bytes a trial writes: some pages, which a full store doesn't have.
const BYTES: usize = 64 << 10;

/// Writes something and takes it away again.
struct Trial;

impl Change for Trial {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        let row = probe::ActiveModel { id: Set(1), filler: Set("x".repeat(BYTES)) };
        probe::Entity::insert(row).exec_without_returning(tx).await?;
        probe::Entity::delete_many().exec(tx).await?;
        Ok(())
    }
}

/// Whether the store can be written.
pub(crate) async fn write(writer: &Writer) -> Result<(), StoreError> {
    match timeout(DEADLINE, writer.change(Trial)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(WriteError::Store(error))) => Err(error),
        // A trial refuses nothing.
        Ok(Err(refused)) => Err(StoreError::Failed(Box::new(refused))),
        Err(_) => Err(StoreError::Unavailable("a trial to write takes too long".into())),
    }
}
