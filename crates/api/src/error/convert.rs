//! Conversion of errors of the engine and the database into problems.

use sluice_domain::naming;
use sluice_domain::run::{InputError, PlanError};
use sluice_domain::validation::Code;
use sluice_engine::{EngineError, StoreError};
use sluice_persistence::WriteError;

use crate::error::{Problem, ProblemItem, ProblemKind};

/// Type of the resource in a path. Determines the problem of a missing one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resource {
    Workflow,
    Run,
    Dataset,
    OutputFile,
}

impl Resource {
    pub(crate) fn not_found(self) -> Problem {
        let kind = match self {
            Self::Workflow => ProblemKind::WorkflowNotFound,
            Self::Dataset => ProblemKind::DatasetNotFound,
            Self::OutputFile => ProblemKind::OutputFileNotFound,
            Self::Run => ProblemKind::RunNotFound,
        };
        Problem::new(kind, kind.example())
    }

    pub(crate) fn engine_problem(self, error: EngineError) -> Problem {
        match error {
            EngineError::NotFound => self.not_found(),
            EngineError::Rejected(refusal) => refusal_problem(&refusal),
            EngineError::Partial(reason) => Problem::new(ProblemKind::PartialRun, reason),
            EngineError::Rerun(reason) => Problem::new(ProblemKind::RerunRefused, reason),
            EngineError::BeyondEnd(length) => {
                let detail = format!(
                    "Last-Event-ID is not an event of this run. The run has {length} events, numbered from 0."
                );
                Problem::new(ProblemKind::UnknownEventId, detail)
            }
            EngineError::Unrunnable(reason) => {
                let code = match reason {
                    PlanError::Cycle => Code::Cycle,
                    PlanError::TooDeep => Code::NestingTooDeep,
                };
                let item = ProblemItem::new("/definition", code.as_str(), reason.to_string());
                Problem::invalid(ProblemKind::Unrunnable, vec![item])
            }
            EngineError::Draining => {
                Problem::new(ProblemKind::Draining, "The server is shutting down. Try again in a moment.")
            }
            EngineError::Store(error) => error.into(),
        }
    }

    pub(crate) fn write_problem(self, error: WriteError) -> Problem {
        match error {
            WriteError::NotFound => self.not_found(),
            WriteError::NameTaken => Problem::new(
                ProblemKind::NameTaken,
                "Another workflow has this name. Choose a different name.",
            ),
            WriteError::PreconditionFailed(_) => Problem::new(
                ProblemKind::PreconditionFailed,
                "The workflow has changed. Read it again, then retry with its current ETag.",
            ),
            WriteError::NoVersion(number) => version_not_found(number),
            WriteError::NoLabel(name) => label_not_found(&name),
            WriteError::Protected(name) => Problem::new(
                ProblemKind::LabelProtected,
                format!(
                    "The label {name:?} is protected, so saving can't move it. Move it with PUT /wf/{{workflow_id}}/labels/{{label}}/."
                ),
            ),
            WriteError::TooManyLabels => {
                Problem::new(ProblemKind::TooManyLabels, naming::LABEL_LIMIT.as_str())
            }
            WriteError::NoPreviousVersion(name) => Problem::new(
                ProblemKind::NoEarlierVersion,
                format!("The label {name:?} has no previous version to roll back to."),
            ),
            WriteError::Store(error) => error.into(),
        }
    }
}

pub(crate) fn version_not_found(number: i32) -> Problem {
    let detail = format!(
        "The workflow has no version {number}. GET /wf/{{workflow_id}}/versions/ lists its versions."
    );
    Problem::new(ProblemKind::VersionNotFound, detail)
}

pub(crate) fn label_not_found(name: &str) -> Problem {
    let detail =
        format!("The workflow has no label {name:?}. GET /wf/{{workflow_id}}/labels/ lists its labels.");
    Problem::new(ProblemKind::LabelNotFound, detail)
}

fn refusal_problem(refusal: &InputError) -> Problem {
    match refusal {
        InputError::NoOpenPause(None) => Problem::new(
            ProblemKind::NoOpenPause,
            "The run has no open pause. GET /wf/pause_history/{run_id}/ lists its pauses.",
        ),
        InputError::NoOpenPause(Some(node)) => Problem::new(
            ProblemKind::NoOpenPause,
            format!(
                "The node \"{node}\" has no open pause. GET /wf/pause_history/{{run_id}}/ lists the pauses. Omit node_id to decide the oldest open one."
            ),
        ),
        InputError::RunEnded(status) => {
            let status = status.as_str();
            Problem::new(
                ProblemKind::RunEnded,
                format!("The run has already ended with the status {status}. Start a new run."),
            )
        }
        InputError::NotFailed(status) => {
            let status = status.as_str();
            let detail = format!(
                "Only FAILED runs can be retried, and this run is {status}. Start a new run with POST /run/{{run_id}}/rerun/."
            );
            Problem::new(ProblemKind::RunNotFailed, detail)
        }
        InputError::BatchCanceled => Problem::new(
            ProblemKind::RunNotFailed,
            "The run is a row of a canceled batch and can't be retried. Start a new run with POST /run/{run_id}/rerun/.",
        ),
        InputError::AlreadyStarted => {
            Problem::new(ProblemKind::BadRequest, "The run has already started. Start a new run.")
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::database_unavailable(error),
            StoreError::Full(_) => Self::database_full(error),
            StoreError::PageTooLarge(bytes) => {
                let detail = format!("The page is larger than {bytes} bytes. Use a smaller page_size.");
                Self::invalid(
                    ProblemKind::InvalidQuery,
                    vec![ProblemItem::new("/page_size", "too_large", detail)],
                )
            }
            StoreError::Unreadable { .. } | StoreError::Failed(_) => Self::internal(error),
        }
    }
}
