use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::run::inputs::{LoopCache, ResolvedInputs};
use crate::run::{Attempt, Behavior, CancelReason, Plan, PlanNode, RunState, TaskPath, TaskStatus};

/// A task at the top level of a run, as the API returns it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// The node id.
    pub node_id: String,
    /// The status.
    pub status: TaskStatus,
    /// {label of the predecessor: its output}, once the task has started.
    pub inputs: Map<String, Value>,
    /// The output. For a gate without a decision, its input.
    pub outputs: Option<Value>,
    /// The error.
    pub error: Option<String>,
    /// The time when it was last queued, if it is an effect.
    pub queued_at: Option<DateTime<Utc>>,
    /// The start time.
    pub started_at: Option<DateTime<Utc>>,
    /// The end time.
    pub ended_at: Option<DateTime<Utc>>,
    /// The attempts, if it is an effect.
    pub attempts: Vec<Attempt>,
    /// The time of the next attempt, during the backoff.
    pub retry_at: Option<DateTime<Utc>>,
    /// True if its output comes from another run.
    pub reused: bool,
    /// {node id: [output of each iteration]}, if it is a loop.
    pub loop_history: Option<Map<String, Value>>,
}

/// Outputs by label or node id, in the order of the plan. Serializes as an object.
#[derive(Clone, Debug, Default)]
pub struct Outputs(Vec<(Arc<str>, Arc<Value>)>);

impl Outputs {
    /// Copies the outputs into a map.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        self.0.iter().map(|(key, output)| (key.to_string(), (**output).clone())).collect()
    }
}

impl Serialize for Outputs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, output)| (key, output)))
    }
}

impl Attempt {
    /// Returns the status of the attempt. Interrupted attempts are `Canceled`. `task` is the status of the task if this
    /// is its last attempt.
    #[must_use]
    pub fn status(&self, task: Option<TaskStatus>) -> TaskStatus {
        match (self.ended_at, self.failure) {
            (None, _) => TaskStatus::Running,
            (Some(_), Some(_)) => TaskStatus::Failed,
            (Some(_), None) if task == Some(TaskStatus::Completed) => TaskStatus::Completed,
            (Some(_), None) => TaskStatus::Canceled,
        }
    }
}

impl RunState {
    /// Returns the tasks at the top level, in the order of the plan. A batch has no tasks.
    #[must_use]
    pub fn tasks(&self, plan: &Plan) -> Vec<TaskView> {
        if self.batch.is_some() {
            return Vec::new();
        }
        (0..plan.nodes.len()).map(|index| self.task_view(plan, index)).collect()
    }

    fn task_view(&self, plan: &Plan, index: usize) -> TaskView {
        let node = &plan.nodes[index];
        let path = TaskPath::new(&[], &node.id);
        let task = self.root.tasks.get(&*node.id).cloned().unwrap_or_default();
        let status = self.visible_status(&node.id, task.status);
        let inputs = match &node.behavior {
            Behavior::Input(_) => Map::new(),
            _ if !task.has_inputs() => Map::new(),
            _ => match self.resolve_inputs(plan, plan, &[], index, &LoopCache::default()) {
                ResolvedInputs::Ready { inputs, .. } => inputs.to_map(),
                ResolvedInputs::UpstreamFailure => Map::new(),
            },
        };
        let error = match task.canceled {
            Some(CancelReason::UpstreamFailure) => Some("Upstream failure".to_owned()),
            Some(CancelReason::Declined) => Some("Declined".to_owned()),
            _ => task.error,
        };
        TaskView {
            node_id: node.id.to_string(),
            status,
            outputs: self.visible_output(plan, &path).map(Arc::unwrap_or_clone),
            inputs,
            error,
            queued_at: task.queued_at,
            started_at: task.started_at,
            ended_at: task.ended_at.or(self.ended_at.filter(|_| status == TaskStatus::Canceled)),
            attempts: task.attempts,
            retry_at: task.retry_at,
            reused: task.reused,
            loop_history: self.loop_history(plan, &path),
        }
    }

    /// Returns the status in the API: waiting tasks of an ended run are canceled, and a loop that waits for a person is
    /// paused.
    pub(super) fn visible_status(&self, id: &str, status: TaskStatus) -> TaskStatus {
        if self.status.is_terminal() && !status.is_terminal() {
            return TaskStatus::Canceled;
        }
        let is_paused_inside =
            || self.open_pauses().any(|p| p.task.scope.first().is_some_and(|s| s.loop_id == id));
        if status == TaskStatus::Running && self.active == 0 && is_paused_inside() {
            return TaskStatus::Paused;
        }
        status
    }

    /// Returns the output of a task. For a gate without a decision this is its input, even after the run was canceled.
    fn visible_output(&self, plan: &Plan, path: &TaskPath) -> Option<Arc<Value>> {
        let undecided = self.pauses.iter().find(|pause| pause.is_open() && pause.task == *path);
        match undecided {
            Some(pause) => Some(Arc::clone(&pause.input)),
            None => self.output(plan, &path.scope, &path.node),
        }
    }

    /// Returns `{label: output}` of the nodes at the top level that have an output, and of paused gates.
    #[must_use]
    pub fn outputs_by_label(&self, plan: &Plan) -> Outputs {
        self.outputs(plan, |node| &node.label)
    }

    /// Returns `{node id: output}` of the nodes at the top level that have an output, and of paused gates.
    #[must_use]
    pub fn outputs_by_id(&self, plan: &Plan) -> Outputs {
        self.outputs(plan, |node| &node.id)
    }

    fn outputs(&self, plan: &Plan, key: impl Fn(&PlanNode) -> &Arc<str>) -> Outputs {
        let output = |node: &PlanNode| self.visible_output(plan, &TaskPath::new(&[], &node.id));
        let outputs = plan.nodes.iter().filter_map(|node| Some((Arc::clone(key(node)), output(node)?)));
        Outputs(outputs.collect())
    }

    /// Returns the percentage of completed nodes at the top level.
    #[must_use]
    pub fn percentage_complete(&self, plan: &Plan) -> f64 {
        let completed = self.root.tasks.values().filter(|t| t.status == TaskStatus::Completed).count();
        if plan.nodes.is_empty() { 0.0 } else { completed as f64 * 100.0 / plan.nodes.len() as f64 }
    }
}
