use sluice_domain::run::{PlanError, Refusal};

use crate::StoreError;

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no such run, or it was deleted meanwhile.
    #[error("there is no such run")]
    NotFound,
    /// It makes no sense in the state that the run is in.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The node could not be run on its own; the reason is a sentence for whoever asked.
    #[error("{0}")]
    Partial(String),
    /// The run can't be made from the other one as was asked; the reason is a sentence for whoever asked.
    #[error("{0}")]
    Rerun(String),
    /// The log of the run has only so many events.
    #[error("the log has {0} events")]
    Beyond(u64),
    /// The definition can't be run.
    #[error(transparent)]
    Unrunnable(#[from] PlanError),
    /// The server is stopping and starts nothing new.
    #[error("the server is stopping")]
    Draining,
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}
