use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Signals between the driver of a batch and the drivers of its rows.
#[derive(Clone, Default)]
pub(crate) struct BatchSignals {
    /// Notified when a row has ended or paused.
    pub(crate) row_idle: Arc<Notify>,
    /// Canceled with the batch. Then no more nodes of its rows start.
    pub(crate) canceled: CancellationToken,
}

/// The signals of each batch that has a driver.
#[derive(Default)]
pub(crate) struct BatchSignalsMap(Mutex<HashMap<Uuid, BatchSignals>>);

impl BatchSignalsMap {
    /// Returns the signals of a batch, creating them if needed.
    pub(crate) fn get_or_insert(&self, batch: Uuid) -> BatchSignals {
        self.0.lock().entry(batch).or_default().clone()
    }

    /// Returns the signals of a batch if it has a driver.
    pub(crate) fn get(&self, batch: Uuid) -> Option<BatchSignals> {
        self.0.lock().get(&batch).cloned()
    }

    /// Removes the signals of a batch that no longer has a driver.
    pub(crate) fn remove(&self, batch: Uuid) {
        self.0.lock().remove(&batch);
    }
}
