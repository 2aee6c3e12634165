//! The execution plan of a version: its definition compiled for runs.

mod build;
mod compute;
mod graph;

pub use build::{Behaviors, LoopSpec, NodeBehavior, PlanError};
pub use compute::{CheckInput, Compute, Inputs, NamedInput};
pub use graph::{Behavior, Edge, Effect, LoopPlan, MAX_NESTING, Plan, PlanNode};
