use std::sync::Arc;

use serde_json::{Map, Value};
use sluice_domain::run::{
    Decision, Event, Input, Plan, Refusal, RunState, RunStatus, TaskPath, TaskStatus, decide,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::work::{Tools, Work};
use crate::{EngineError, clock};

/// One node that is asked to run on its own, without anything being kept.
#[derive(Clone, Debug)]
pub struct PartialRun {
    /// The workflow.
    pub workflow_id: Uuid,
    /// The version whose node it is.
    pub version_id: Uuid,
    /// The node.
    pub node_id: String,
    /// Whether the nodes before it run too, whatever outputs are given for them.
    pub rerun_predecessors: bool,
    /// {input node id: {field: value}}.
    pub inputs: Map<String, Value>,
    /// {node id: output} of nodes that need not run.
    pub partial_outputs: Map<String, Value>,
}

/// Runs the node, and before it those of its predecessors for which no output is given.
pub(crate) async fn run(
    plan: &Plan,
    tools: Tools,
    partial: PartialRun,
) -> Result<Map<String, Value>, EngineError> {
    let id = &partial.node_id;
    let Some(target) = plan.index(id) else {
        let reason = format!("There is no node \"{id}\" at the top of the workflow. Name one of its nodes.");
        return Err(EngineError::Partial(reason));
    };
    let given = known_outputs(plan, &partial);
    let plan = plan.up_to(target);
    let mut state = primed(&plan, &partial, &given);
    bring_to_rest(&plan, Work::new(tools, partial.workflow_id, CancellationToken::new()), &mut state).await?;
    match state.status {
        RunStatus::Paused => Err(EngineError::Partial(waiting(&state))),
        RunStatus::Failed => Err(EngineError::Partial(failure(&plan, &state))),
        RunStatus::Completed | RunStatus::Canceled | RunStatus::Pending | RunStatus::Running => {
            let mut outputs = given;
            outputs.extend(state.outputs_by_id(&plan).to_map());
            Ok(outputs)
        }
    }
}

/// The outputs that were given for nodes of the plan.
fn known_outputs(plan: &Plan, partial: &PartialRun) -> Map<String, Value> {
    let given = partial
        .partial_outputs
        .iter()
        .filter(|(id, _)| !partial.rerun_predecessors && **id != partial.node_id && plan.index(id).is_some());
    given.map(|(id, output)| (id.clone(), output.clone())).collect()
}

/// A run in which the given outputs are there already.
fn primed(plan: &Plan, partial: &PartialRun, given: &Map<String, Value>) -> RunState {
    let at = clock::now();
    let mut state = RunState::default();
    state.fold(&Event::RunStarted { inputs: Arc::new(partial.inputs.clone()), at });
    for (id, output) in given.iter().filter(|(id, _)| plan.index(id).is_some()) {
        let output = Some(Arc::new(output.clone()));
        state.fold(&Event::TaskCompleted { task: TaskPath::new(&[], id), output, at });
    }
    state
}

async fn bring_to_rest(plan: &Plan, mut work: Work, state: &mut RunState) -> Result<(), EngineError> {
    let mut input = Input::Recover;
    loop {
        let decision = decide_aside(plan, state, input)?;
        work.perform(decision.actions);
        input = if decision.has_more {
            Input::Advance
        } else {
            match work.next().await {
                Some(input) => input,
                None => return Ok(()),
            }
        };
    }
}

/// Decides; where that can take long, other tasks of this thread move on first.
pub(crate) fn decide_aside(plan: &Plan, state: &mut RunState, input: Input) -> Result<Decision, Refusal> {
    let decide_here = || decide(plan, state, input, clock::now());
    if plan.is_heavy() { tokio::task::block_in_place(decide_here) } else { decide_here() }
}

fn waiting(state: &RunState) -> String {
    let gate = state.open_pauses().next().map(|pause| pause.task.node.clone()).unwrap_or_default();
    format!("The node \"{gate}\" waits for a person. Give its output in partial_outputs.")
}

fn failure(plan: &Plan, state: &RunState) -> String {
    let mut tasks = state.tasks(plan).into_iter().filter(|task| task.status == TaskStatus::Failed);
    let failed = tasks.find_map(|task| Some((task.node_id, task.error?)));
    failed.map(|(id, error)| format!("The node \"{id}\" failed: {error}")).unwrap_or_default()
}
