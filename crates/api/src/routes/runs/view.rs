//! The representation of a run in responses.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use sluice_domain::Definition;
use sluice_domain::run;
use sluice_domain::run::{
    Behavior, FailureKind, LoopPlan, Outputs, Plan, RunState, RunStatus, TaskStatus, TaskView,
};
use sluice_engine::{BatchCounts, Snapshot, clock};
use sluice_persistence::VersionRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{FailedNode, Problem};
use crate::openapi::value_types::{Fields, FieldsByNode, IterationsByNode};
use crate::routes::versions::WorkflowVersion;
use crate::timestamp::Timestamp;

/// A run of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Run {
    /// Id.
    pub(super) id: Uuid,
    /// Id of the workflow.
    workflow_id: Uuid,
    /// Id of the version that the run executes.
    #[schema(required = true)]
    workflow_version_id: Option<Uuid>,
    /// The version that the run executes.
    #[schema(required = true)]
    workflow_version: Option<WorkflowVersion>,
    /// Status.
    status: RunStatus,
    /// Time at which the run was accepted.
    #[schema(value_type = String, format = DateTime)]
    start_time: Timestamp,
    /// End time.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    end_time: Option<Timestamp>,
    /// {input node id: {field: value}}.
    #[schema(value_type = Option<FieldsByNode>, required = true, nullable = true)]
    initial_inputs: Option<Arc<Map<String, Value>>>,
    /// {node title: output} of every node outside of loops with an output, and {node title: input} of every gate with
    /// an open pause.
    #[schema(value_type = Option<FieldsByNode>, required = true, nullable = true)]
    outputs: Option<Outputs>,
    /// The tasks, one per node outside of loops. Empty for a batch.
    tasks: Vec<Task>,
    /// Id of the parent run. For a rerun, this is the original run, and for a row of a batch, the batch.
    /// Otherwise, it is the `parent_run_id` of the request that started the run.
    #[schema(required = true)]
    parent_run_id: Option<Uuid>,
    /// Type of the run: `batch` for a batch and its rows, otherwise the `run_type` of the request. A rerun keeps the
    /// type.
    run_type: String,
    /// Batch only: id of the output file.
    #[schema(required = true)]
    output_file_id: Option<Uuid>,
    /// Batch only: id of the dataset of its rows.
    #[schema(required = true)]
    input_dataset_id: Option<Uuid>,
    /// Batch only: progress of the rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    batch: Option<BatchProgress>,
    /// Row of a batch only: index of the row, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    batch_row: Option<i64>,
    /// Status as a sentence.
    #[schema(required = true)]
    message: Option<String>,
    /// Duration so far or in total, in seconds.
    #[schema(required = true, minimum = 0)]
    duration: Option<f64>,
    /// Percentage of completed nodes. For a batch, percentage of ended rows.
    #[schema(minimum = 0, maximum = 100)]
    percentage_complete: f64,
}

/// Progress of a batch, in rows.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct BatchProgress {
    /// All rows.
    total: u64,
    /// Rows that have not started, or wait for a slot.
    pending: u64,
    /// Running rows.
    running: u64,
    /// Paused rows.
    paused: u64,
    /// Completed rows.
    completed: u64,
    /// Failed rows.
    failed: u64,
    /// Rows whose run is `CANCELED`, and rows that a canceled batch did not start.
    canceled: u64,
}

impl Run {
    /// Returns the run with the progress of its rows.
    pub(super) fn with_batch_progress(self, rows: u64, counts: BatchCounts) -> Self {
        let BatchCounts { pending: _, running, paused, completed, failed, canceled } = counts;
        let pending = rows.saturating_sub(counts.started_count()) + counts.pending;
        // A canceled batch starts no more rows.
        let is_canceled = self.status == RunStatus::Canceled;
        let (pending, canceled) = if is_canceled { (0, canceled + pending) } else { (pending, canceled) };
        let progress = BatchProgress { total: rows, pending, running, paused, completed, failed, canceled };
        let percentage_complete =
            if rows == 0 { 100.0 } else { counts.ended_count() as f64 * 100.0 / rows as f64 };
        Self { batch: Some(progress), percentage_complete, ..self }
    }
}

/// A task: one node in one run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Task {
    /// Id.
    id: Uuid,
    /// Id of the run.
    run_id: Uuid,
    /// Id of the node.
    node_id: String,
    /// Always null. Some clients require the field.
    #[schema(required = true)]
    parent_task_id: Option<Uuid>,
    /// Status.
    status: TaskStatus,
    /// {predecessor title: its output}. Empty before the task starts and for input nodes.
    #[schema(value_type = Option<FieldsByNode>, required = true, nullable = true)]
    inputs: Option<Map<String, Value>>,
    /// Output. For a paused gate, its input.
    #[schema(value_type = Option<Fields>, required = true, nullable = true)]
    outputs: Option<Value>,
    /// Error message.
    #[schema(required = true)]
    error: Option<String>,
    /// Start time.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    start_time: Option<Timestamp>,
    /// End time.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    end_time: Option<Timestamp>,
    /// Attempts of a Python node. Empty for other nodes.
    attempts: Vec<Attempt>,
    /// Time of the next attempt, after a failed one.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    retry_time: Option<Timestamp>,
    /// True if the output was reused from the original run of a rerun.
    reused: bool,
    /// The body, if the node is a loop.
    #[schema(value_type = Option<Definition>, required = true, nullable = true)]
    subworkflow: Option<LoopBody>,
    /// {node id: [output]} of a loop, in iteration order. Iterations without an output of the node are omitted, so an
    /// index is not an iteration number.
    #[schema(value_type = Option<IterationsByNode>, required = true, nullable = true)]
    subworkflow_output: Option<Map<String, Value>>,
}

/// One attempt to run a node.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    /// Attempt number, from 1.
    #[schema(minimum = 1)]
    number: u32,
    /// `RUNNING`, `COMPLETED`, `FAILED`, or `CANCELED` if the server restarted or the run was canceled during the
    /// attempt.
    status: TaskStatus,
    /// Start time.
    #[schema(value_type = String, format = DateTime)]
    start_time: Timestamp,
    /// End time. After a restart of the server, the time of recovery.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    end_time: Option<Timestamp>,
    /// Error message.
    #[schema(required = true)]
    error: Option<String>,
    /// Kind of failure: `error`, `timeout` or `crash`, as in the `on` of a retry policy.
    #[schema(required = true)]
    failure: Option<FailureKind>,
}

impl Attempt {
    /// Converts the attempts of a task with this status.
    pub(crate) fn of_task(attempts: &[run::Attempt], task: TaskStatus) -> Vec<Self> {
        let last = attempts.len().saturating_sub(1);
        let status = |index, attempt: &run::Attempt| attempt.status((index == last).then_some(task));
        attempts.iter().enumerate().map(|(index, a)| Self::new(a, status(index, a))).collect()
    }

    fn new(attempt: &run::Attempt, status: TaskStatus) -> Self {
        let run::Attempt { number, started_at, ended_at, error, failure } = attempt.clone();
        let (start_time, end_time) = (Timestamp(started_at), ended_at.map(Timestamp));
        Self { number, status, start_time, end_time, error, failure }
    }
}

/// The definition of a loop body, shared with the plan.
#[derive(Debug)]
struct LoopBody(Arc<LoopPlan>);

impl Serialize for LoopBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.definition.serialize(serializer)
    }
}

/// Converts a run for responses.
pub(crate) fn run_view(snapshot: &Snapshot, version: Option<VersionRow>) -> Result<Run, Problem> {
    run_view_at(snapshot, version, clock::now())
}

/// Converts a run for responses, as it was at the time `at`.
pub(crate) fn run_view_at(
    snapshot: &Snapshot,
    version: Option<VersionRow>,
    at: DateTime<Utc>,
) -> Result<Run, Problem> {
    let Snapshot { record, state, plan } = snapshot;
    let until = state.ended_at.unwrap_or(at);
    let duration = (until - record.start_time).as_seconds_f64().max(0.0);
    let outputs = (state.status != RunStatus::Pending).then(|| state.outputs_by_label(plan));
    let tasks = state.tasks(plan);
    Ok(Run {
        id: record.id,
        workflow_id: record.workflow_id,
        workflow_version_id: Some(record.version_id),
        workflow_version: version.map(WorkflowVersion::try_from).transpose()?,
        status: state.status,
        start_time: Timestamp(record.start_time),
        end_time: state.ended_at.map(Timestamp),
        initial_inputs: Some(Arc::clone(&state.inputs)),
        outputs,
        message: Some(message(state, &tasks)),
        tasks: tasks.into_iter().map(|view| task(record.id, plan, view)).collect(),
        parent_run_id: record.parent_run_id,
        run_type: record.run_type.clone(),
        output_file_id: state.batch.map(|_| record.id),
        input_dataset_id: record.dataset_id,
        batch: None,
        batch_row: record.batch_row,
        duration: Some(duration),
        percentage_complete: state.percentage_complete(plan),
    })
}

fn task(run_id: Uuid, plan: &Plan, view: TaskView) -> Task {
    let attempts = Attempt::of_task(&view.attempts, view.status);
    let TaskView {
        node_id,
        status,
        inputs,
        outputs,
        error,
        queued_at: _,
        started_at,
        ended_at,
        attempts: _,
        retry_at,
        reused,
        loop_history,
    } = view;
    let node = plan.index(&node_id).map(|index| &plan.nodes[index]);
    let body = node.and_then(|node| match &node.behavior {
        Behavior::Loop(body) => Some(LoopBody(Arc::clone(body))),
        _ => None,
    });
    Task {
        // A node has one task per run. Its id is derived from both, so that all responses have the same id.
        id: Uuid::new_v5(&run_id, node_id.as_bytes()),
        run_id,
        node_id,
        parent_task_id: None,
        status,
        inputs: Some(inputs),
        outputs,
        error,
        start_time: started_at.map(Timestamp),
        end_time: ended_at.map(Timestamp),
        attempts,
        retry_time: retry_at.map(Timestamp),
        reused,
        subworkflow: body,
        subworkflow_output: loop_history,
    }
}

/// Returns the status of a run as a sentence.
pub(super) fn message(state: &RunState, tasks: &[TaskView]) -> String {
    let failed = failed_nodes(tasks);
    match state.status {
        RunStatus::Pending => "The run has not started yet.".to_owned(),
        RunStatus::Running => "The run is in progress.".to_owned(),
        RunStatus::Completed => "Every node finished.".to_owned(),
        RunStatus::Paused => {
            let gates: Vec<String> =
                state.open_pauses().map(|pause| format!("\"{}\"", pause.task.node)).collect();
            format!("Waiting for a decision at {}.", gates.join(" and "))
        }
        RunStatus::Canceled => "The run was canceled.".to_owned(),
        RunStatus::Failed => match failed.as_slice() {
            [] => "The run failed.".to_owned(),
            [FailedNode { node_id, error }] => format!("The node \"{node_id}\" failed: {error}"),
            [FailedNode { node_id, error }, rest @ ..] => {
                format!("The node \"{node_id}\" failed: {error} ({} more failed)", rest.len())
            }
        },
    }
}

/// Returns the failed nodes with their errors.
pub(super) fn failed_nodes(tasks: &[TaskView]) -> Vec<FailedNode> {
    let failed = tasks.iter().filter(|task| task.status == TaskStatus::Failed);
    failed
        .map(|task| FailedNode {
            node_id: task.node_id.clone(),
            error: task.error.clone().unwrap_or_default(),
        })
        .collect()
}
