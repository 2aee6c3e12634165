//! Decisions on runs. Each command has its own file.

mod batch;
mod cancel;
mod command;
mod decider;
mod loops;
mod pause;
mod retry;
mod start;
mod tasks;

use chrono::{DateTime, Utc};

pub use command::{Action, Decision, Input, InputError};
use decider::Decider;

use super::{Plan, RunState};

/// Decides on a command: returns the resulting events and actions, and folds the events into `state`. Deterministic: the
/// same plan, state, input and time lead to the same decision.
///
/// The result of a task that is no longer running is ignored.
///
/// # Errors
/// If the command is invalid in this state. The state is unchanged.
pub fn decide(
    plan: &Plan,
    state: &mut RunState,
    input: Input,
    now: DateTime<Utc>,
) -> Result<Decision, InputError> {
    let mut decider = Decider::new(plan, state, now);
    match input {
        Input::Start(inputs) => decider.start(inputs)?,
        Input::Recover => decider.resume(true),
        Input::Advance => decider.resume(false),
        Input::StartBatch(batch) => decider.start_batch(batch)?,
        Input::CompleteBatch => decider.complete_batch(),
        Input::Reuse(outputs) => decider.reuse_outputs(outputs),
        Input::StartTask(task) => decider.start_effect(task),
        Input::EndTask { task, result, at } => decider.end_effect(&task, result, at),
        Input::RetryTask(task) => decider.retry_effect(task),
        Input::Retry => decider.retry_run()?,
        Input::Decide(node, decision) => decider.decide_pause(node, decision)?,
        Input::Cancel => decider.cancel()?,
    }
    Ok(decider.decision)
}
