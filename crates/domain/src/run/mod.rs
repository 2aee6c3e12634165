//! The life of a run as two functions: [`RunState::fold`] takes an event into the state, [`decide`]
//! says which events an input leads to and what is to be done once they are committed.
//!
//! The log of a run is the truth; everything else about it is folded from the log.

mod decide;
mod effects;
mod event;
mod limits;
mod plan;
mod policy;
mod rerun;
mod state;
mod status;
mod task_path;
mod timeline;
mod values;
mod view;

pub use decide::{Action, Decision, Input, Refusal, decide};
pub use event::{CancelReason, Event};
pub use limits::{MAX_LOOP_EVENTS, MAX_OUTPUT_BYTES, MAX_OUTPUT_DEPTH, MAX_RUN_BYTES, MAX_RUN_VALUES, Size};
pub use plan::{
    Arrival, Behaviour, CheckInput, Compute, Edge, Effect, Inputs, Kinds, LoopBody, LoopPlan, LoopSpec,
    MAX_NESTING, Plan, PlanError, PlanNode,
};
pub use policy::{Failure, FailureKind, Policy, Retry};
pub use rerun::Reused;
pub use state::{Attempt, Batch, Frame, RunState, TaskState};
pub use status::{RunStatus, TaskStatus};
pub use task_path::{Scope, TaskPath};
pub use timeline::TimelineTask;
pub(crate) use values::LOOP_HISTORY;
pub use values::dig;
pub use view::{Outputs, TaskView};
