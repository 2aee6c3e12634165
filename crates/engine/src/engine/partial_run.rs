//! Partial runs: runs of a single node, without a log.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use sluice_domain::run::{Event, Input, Plan, RunState, RunStatus, TaskPath, TaskStatus};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Engine;
use crate::clock;
use crate::driver::decide::decide_now;
use crate::driver::task_runner::{RunnerContext, TaskRunner};
use crate::error::EngineError;

/// A request to run one node without storing a run.
#[derive(Clone, Debug)]
pub struct PartialRun {
    /// The workflow.
    pub workflow_id: Uuid,
    /// The version of the workflow.
    pub version_id: Uuid,
    /// The node.
    pub node_id: String,
    /// True to run the predecessors of the node too, ignoring the outputs given for them.
    pub rerun_predecessors: bool,
    /// {input node id: {field: value}}.
    pub inputs: Map<String, Value>,
    /// {node id: output} of nodes that don't have to run.
    pub partial_outputs: Map<String, Value>,
}

impl Engine {
    /// Runs one node, and its predecessors whose outputs are not given. Returns {node id: output}.
    ///
    /// # Errors
    /// [`EngineError::Partial`] if the node can't be run in this way or takes longer than `timeout`;
    /// [`EngineError::Draining`] when the server is stopping.
    pub async fn run_partial(
        &self,
        partial: PartialRun,
        timeout: Duration,
    ) -> Result<Map<String, Value>, EngineError> {
        if self.0.draining.is_cancelled() {
            return Err(EngineError::Draining);
        }
        let plan = self.0.plans.get(partial.version_id).await?;
        tokio::select! {
            outputs = run_partial(&plan, self.0.runner_context.clone(), partial) => outputs,
            () = tokio::time::sleep(timeout) => Err(EngineError::Partial(format!(
                "The partial run exceeded {timeout:?}. Start a run instead, which continues in the background."
            ))),
            () = self.wait_drained() => Err(EngineError::Draining),
        }
    }
}

async fn run_partial(
    plan: &Plan,
    context: RunnerContext,
    partial: PartialRun,
) -> Result<Map<String, Value>, EngineError> {
    let id = &partial.node_id;
    let Some(target) = plan.index(id) else {
        return Err(EngineError::Partial(format!(
            "The workflow has no node \"{id}\" outside of loops. Send the id of a node that is not in a loop."
        )));
    };
    let mut outputs = given_outputs(plan, &partial);
    let plan = plan.up_to(target);
    let mut state = initial_state(&plan, &partial, &outputs);
    let tasks = TaskRunner::new(context, partial.workflow_id, CancellationToken::new());
    drive_until_idle(&plan, tasks, &mut state).await?;
    match state.status {
        RunStatus::Paused => Err(EngineError::Partial(pause_reason(&state))),
        RunStatus::Failed => Err(EngineError::Partial(failure_reason(&plan, &state))),
        RunStatus::Completed | RunStatus::Canceled | RunStatus::Pending | RunStatus::Running => {
            outputs.extend(state.outputs_by_id(&plan).to_map());
            Ok(outputs)
        }
    }
}

/// Returns the outputs of the request that are used: those of other nodes in the plan, unless predecessors run again.
fn given_outputs(plan: &Plan, partial: &PartialRun) -> Map<String, Value> {
    if partial.rerun_predecessors {
        return Map::new();
    }
    partial
        .partial_outputs
        .iter()
        .filter(|(id, _)| **id != partial.node_id && plan.index(id).is_some())
        .map(|(id, output)| (id.clone(), output.clone()))
        .collect()
}

/// Returns the state of a started run in which the nodes with given outputs are completed.
fn initial_state(plan: &Plan, partial: &PartialRun, outputs: &Map<String, Value>) -> RunState {
    let at = clock::now();
    let mut state = RunState::default();
    state.fold(&Event::RunStarted { inputs: Arc::new(partial.inputs.clone()), at });
    for (id, output) in outputs.iter().filter(|(id, _)| plan.index(id).is_some()) {
        let output = Some(Arc::new(output.clone()));
        state.fold(&Event::TaskCompleted { task: TaskPath::new(&[], id), output, at });
    }
    state
}

async fn drive_until_idle(
    plan: &Plan,
    mut tasks: TaskRunner,
    state: &mut RunState,
) -> Result<(), EngineError> {
    let mut input = Input::Recover;
    loop {
        let decision = decide_now(plan, state, input)?;
        tasks.perform(decision.actions);
        input = if decision.has_more {
            Input::Advance
        } else {
            match tasks.next_input().await {
                Some(input) => input,
                None => return Ok(()),
            }
        };
    }
}

fn pause_reason(state: &RunState) -> String {
    let gate = state.open_pauses().next().map(|pause| pause.task.node.as_str()).unwrap_or_default();
    format!("The node \"{gate}\" waits for a person. Pass its output in partial_outputs.")
}

fn failure_reason(plan: &Plan, state: &RunState) -> String {
    state
        .tasks(plan)
        .into_iter()
        .filter(|task| task.status == TaskStatus::Failed)
        .find_map(|task| Some(format!("The node \"{}\" failed: {}", task.node_id, task.error?)))
        .unwrap_or_default()
}
