//! The life of a run as two functions: [`RunState::fold`] applies an event to the state, and [`decide`] turns a command
//! into events and actions.
//!
//! The log of events is the source of truth; all other state is folded from it.

mod decide;
mod event;
mod inputs;
mod limits;
mod plan;
mod policy;
mod rerun;
mod state;
mod status;
mod task_path;
mod view;

pub use decide::{Action, Decision, Input, InputError, decide};
pub use event::{CancelReason, Event, EventKind};
pub(crate) use inputs::LOOP_HISTORY;
pub use inputs::lookup_path;
pub use limits::{
    MAX_LOOP_EVENTS, MAX_OUTPUT_BYTES, MAX_OUTPUT_DEPTH, MAX_RUN_BYTES, MAX_RUN_VALUES, OutputSize,
};
pub use plan::{
    Behavior, Behaviors, CheckInput, Compute, Edge, Effect, Inputs, LoopPlan, LoopSpec, MAX_NESTING,
    NamedInput, NodeBehavior, Plan, PlanError, PlanNode,
};
pub use policy::{Failure, FailureKind, Policy, Retry};
pub use rerun::ReusedOutput;
pub use state::{Attempt, Batch, Frame, Pause, RunState, TaskState, pause_ids};
pub use status::{RunStatus, TaskStatus};
pub use task_path::{LoopIteration, TaskPath};
pub use view::{Outputs, TaskView, TimelineTask};
