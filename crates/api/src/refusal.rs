//! The one place where what the store and the engine refuse becomes a problem.

use sluice_domain::run::{PlanError, Refusal};
use sluice_domain::validation::Code;
use sluice_engine::{EngineError, StoreError};
use sluice_persistence::WriteError;

use crate::problem::{Kind, Problem, ProblemItem};

/// What an id in a path stands for: says which problem a missing one is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resource {
    Workflow,
    Run,
    Dataset,
    OutputFile,
}

impl Resource {
    pub(crate) fn missing(self) -> Problem {
        match self {
            Self::Workflow => Problem::new(
                Kind::WorkflowNotFound,
                "Workflow not found: it was deleted, or the id is wrong. List the workflows with GET /wf/.",
            ),
            Self::Dataset => Problem::new(
                Kind::DatasetNotFound,
                "Dataset not found: it was deleted, or the id is wrong. List the datasets with GET /ds/.",
            ),
            Self::OutputFile => Problem::new(
                Kind::OutputFileNotFound,
                "Output file not found: its run was deleted, or the id is wrong. List the files with GET /of/.",
            ),
            Self::Run => Problem::new(
                Kind::RunNotFound,
                "Run not found: its workflow was deleted, or the id is wrong. List the runs with GET /run/.",
            ),
        }
    }

    pub(crate) fn engine(self, error: EngineError) -> Problem {
        match error {
            EngineError::NotFound => self.missing(),
            EngineError::Refused(refusal) => refused(&refusal),
            EngineError::Partial(reason) => Problem::new(Kind::PartialRun, reason),
            EngineError::Rerun(reason) => Problem::new(Kind::RerunRefused, reason),
            EngineError::Beyond(length) => {
                let detail = format!(
                    "The header Last-Event-ID names an event that is not there: the run has {length} events, \
                     numbered from 0."
                );
                Problem::new(Kind::UnknownEventId, detail)
            }
            EngineError::Unrunnable(reason) => {
                let code = match reason {
                    PlanError::Cycle => Code::Cycle,
                    PlanError::TooDeep => Code::NestingTooDeep,
                };
                let item = ProblemItem::new("/definition", code.as_str(), reason.to_string());
                Problem::invalid(Kind::Unrunnable, vec![item])
            }
            EngineError::Draining => Problem::new(
                Kind::Draining,
                "The server is stopping and takes no new work. Try again in a moment.",
            ),
            EngineError::Store(error) => error.into(),
        }
    }

    pub(crate) fn write(self, error: WriteError) -> Problem {
        match error {
            WriteError::NotFound => self.missing(),
            WriteError::NameTaken => {
                Problem::new(Kind::NameTaken, "Another workflow has this name. Choose another one.")
            }
            WriteError::Changed(_) => {
                Problem::new(Kind::PreconditionFailed, "The workflow has changed. Read it again.")
            }
            WriteError::NoVersion(number) => no_version(number),
            WriteError::NoLabel(name) => no_label(&name),
            WriteError::Protected(name) => Problem::new(
                Kind::LabelProtected,
                format!(
                    "The label {name:?} is protected: saving doesn't move it. Move it with PUT on the label itself."
                ),
            ),
            WriteError::TooManyLabels(most) => Problem::new(
                Kind::TooManyLabels,
                format!("A workflow has at most {most} labels. Delete one that nobody uses."),
            ),
            WriteError::NoEarlier(name) => Problem::new(
                Kind::NoEarlierVersion,
                format!(
                    "The label {name:?} has stood nowhere else since it was set, so there is nothing to go back to."
                ),
            ),
            WriteError::Store(error) => error.into(),
        }
    }
}

pub(crate) fn no_version(number: i32) -> Problem {
    let detail =
        format!("The workflow has no version {number}. See them with GET /wf/{{workflow_id}}/versions/.");
    Problem::new(Kind::VersionNotFound, detail)
}

pub(crate) fn no_label(name: &str) -> Problem {
    let detail =
        format!("The workflow has no label {name:?}. See them with GET /wf/{{workflow_id}}/labels/.");
    Problem::new(Kind::LabelNotFound, detail)
}

fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::NoOpenPause(None) => Problem::new(
            Kind::NoOpenPause,
            "No pause of this run is open. See its pauses with GET /wf/pause_history/{run_id}/.",
        ),
        Refusal::NoOpenPause(Some(node)) => Problem::new(
            Kind::NoOpenPause,
            format!(
                "No pause is open at the node \"{node}\". See the pauses with GET /wf/pause_history/{{run_id}}/, \
                 or leave node_id out to settle the oldest open one."
            ),
        ),
        Refusal::Ended(status) => {
            let status = status.as_str();
            Problem::new(Kind::RunEnded, format!("The run has ended, it is {status}. Start a new one."))
        }
        Refusal::NotFailed(status) => {
            let status = status.as_str();
            let detail = format!(
                "Only a run that has failed can be retried, this one is {status}. Make a new run from it with \
                 POST /run/{{run_id}}/rerun/."
            );
            Problem::new(Kind::RunNotFailed, detail)
        }
        Refusal::BatchCanceled => Problem::new(
            Kind::RunNotFailed,
            "The run is a row of a batch that was canceled, which ended all its rows. Make a new run from it \
             with POST /run/{run_id}/rerun/.",
        ),
        Refusal::AlreadyStarted => {
            Problem::new(Kind::BadRequest, "The run has begun already. Start a new one.")
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::store_away(error),
            StoreError::Full(_) => Self::store_full(error),
            StoreError::PageTooLarge(bytes) => {
                let detail = format!("The page holds more than {bytes} bytes. Ask for fewer at once.");
                Self::invalid(Kind::InvalidQuery, vec![ProblemItem::new("/page_size", "too_large", detail)])
            }
            StoreError::Unreadable { .. } | StoreError::Failed(_) => Self::internal(error),
        }
    }
}
