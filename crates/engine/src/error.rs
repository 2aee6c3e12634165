use sluice_domain::run::{InputError, PlanError};

use crate::store::StoreError;

/// Errors of the operations of an [`Engine`](crate::Engine).
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The run doesn't exist, or was deleted meanwhile.
    #[error("run not found")]
    NotFound,
    /// The operation is not possible in the current state of the run.
    #[error(transparent)]
    Rejected(#[from] InputError),
    /// The partial run is not possible or failed. The text is for the caller.
    #[error("{0}")]
    Partial(String),
    /// The rerun is not possible. The text is for the caller.
    #[error("{0}")]
    Rerun(String),
    /// The requested position is after the end of the log, which has this many events.
    #[error("the log has {0} events")]
    BeyondEnd(u64),
    /// The definition can't be executed.
    #[error(transparent)]
    Unrunnable(#[from] PlanError),
    /// The server is stopping and rejects new runs.
    #[error("the server is stopping")]
    Draining,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
