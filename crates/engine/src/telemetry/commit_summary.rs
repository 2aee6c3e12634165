use std::sync::Arc;

use chrono::{DateTime, Utc};
use sluice_domain::run::{
    Attempt, Behavior, Event, Frame, LoopIteration, Plan, PlanNode, RunState, RunStatus, TaskPath, TaskStatus,
};
use uuid::Uuid;

use crate::store::Commit;

/// The parts of a commit that are relevant for metrics and spans.
pub(crate) struct CommitSummary {
    pub(super) run: Uuid,
    pub(super) workflow: Uuid,
    pub(super) version: Uuid,
    /// The batch that the run is a row of.
    pub(super) batch: Option<Uuid>,
    pub(super) items: Vec<SummaryItem>,
}

pub(super) enum SummaryItem {
    /// The run was accepted.
    RunStarted(DateTime<Utc>),
    /// The run resumed after a decision, or was retried.
    RunResumed(DateTime<Utc>),
    RunPaused(DateTime<Utc>),
    RunEnded {
        outcome: Outcome,
        started_at: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    },
    /// A node ended, or one attempt of it.
    NodeEnded(NodeEnd),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    Failed,
    Canceled,
    /// An attempt failed and is followed by another one.
    Retried,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Retried => "retried",
        }
    }
}

/// The end of a node, or of one attempt of it.
pub(super) struct NodeEnd {
    pub(super) kind: Arc<str>,
    pub(super) outcome: Outcome,
    /// Time of the start. `None` for nodes that are computed instantly.
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) at: DateTime<Utc>,
    /// Set only if there are spans.
    pub(super) detail: Option<NodeDetail>,
}

pub(super) struct NodeDetail {
    /// The path of the node, including the iterations of loops.
    pub(super) path: String,
    pub(super) attempt: Option<u32>,
    pub(super) error: Option<String>,
}

impl CommitSummary {
    /// Summarizes `commit`. `state` is the state after the commit.
    pub(super) fn new(commit: &Commit, plan: &Plan, state: &RunState, has_spans: bool) -> Self {
        let mut summarizer = Summarizer { plan, state, has_spans, items: Vec::new() };
        commit.events.iter().for_each(|event| summarizer.add_event(event));
        Self {
            run: commit.record.id,
            workflow: commit.record.workflow_id,
            version: commit.record.version_id,
            batch: commit.record.batch(),
            items: summarizer.items,
        }
    }
}

struct Summarizer<'a> {
    plan: &'a Plan,
    state: &'a RunState,
    has_spans: bool,
    items: Vec<SummaryItem>,
}

impl Summarizer<'_> {
    fn add_event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { at, .. } | Event::BatchStarted { at, .. } => {
                self.items.push(SummaryItem::RunStarted(*at));
            }
            Event::RunResumed { at } | Event::RunRetried { at } => {
                self.items.push(SummaryItem::RunResumed(*at));
            }
            Event::RunPaused { at } => self.items.push(SummaryItem::RunPaused(*at)),
            Event::TaskCompleted { task, at, .. } => self.add_node_end(task, Outcome::Completed, None, *at),
            Event::TaskFailed { task, error, at, .. } => {
                self.add_node_end(task, Outcome::Failed, Some(error), *at);
            }
            Event::TaskRetrying { task, error, at, .. } => {
                self.add_node_end(task, Outcome::Retried, Some(error), *at);
            }
            Event::TaskCanceled { task, at, .. } => self.add_node_end(task, Outcome::Canceled, None, *at),
            _ => self.add_run_end(event),
        }
    }

    /// Adds the end of the run, if the event ends it.
    fn add_run_end(&mut self, event: &Event) {
        let at = event.time();
        let outcome = match event.final_status() {
            Some(RunStatus::Completed) => Outcome::Completed,
            Some(RunStatus::Failed) => Outcome::Failed,
            Some(RunStatus::Canceled) => {
                self.add_canceled_nodes(self.plan, &self.state.root, &mut Vec::new(), at);
                Outcome::Canceled
            }
            Some(RunStatus::Pending | RunStatus::Running | RunStatus::Paused) | None => return,
        };
        self.items.push(SummaryItem::RunEnded { outcome, started_at: self.state.started_at, at });
    }

    fn add_node_end(&mut self, path: &TaskPath, outcome: Outcome, error: Option<&String>, at: DateTime<Utc>) {
        let Some(node) = find_node(self.plan, path) else { return };
        let task = match node.behavior {
            // Computed nodes take no time. The event contains everything.
            Behavior::Input(_) | Behavior::Compute(_) | Behavior::ComputeAny(_) | Behavior::Invalid(_) => {
                None
            }
            Behavior::Effect(_) | Behavior::Gate(_) | Behavior::Loop(_) => self.state.task(path),
        };
        let attempt = task.and_then(|task| attempt_that_ended(&task.attempts, at));
        let started_at = match node.behavior {
            Behavior::Effect(_) => attempt.map(|attempt| attempt.started_at),
            _ => task.and_then(|task| task.started_at),
        };
        let detail = self.has_spans.then(|| NodeDetail {
            path: path.to_string(),
            attempt: attempt.map(|attempt| attempt.number),
            error: error.cloned(),
        });
        let kind = Arc::clone(&node.node_type);
        self.items.push(SummaryItem::NodeEnded(NodeEnd { kind, outcome, started_at, at, detail }));
    }

    /// Adds the nodes that were active when the run was canceled, because the log contains no events for them.
    fn add_canceled_nodes(
        &mut self,
        plan: &Plan,
        frame: &Frame,
        scope: &mut Vec<LoopIteration>,
        at: DateTime<Utc>,
    ) {
        let canceled_tasks =
            frame.tasks.iter().filter(|(_, task)| task.ended_at == Some(at) && task.canceled.is_some());
        for (id, task) in canceled_tasks {
            let Some(node) = plan.index(id).and_then(|index| plan.nodes.get(index)) else { continue };
            if let (Behavior::Loop(inner), Some(last)) = (&node.behavior, task.iterations.last()) {
                let iteration = u32::try_from(task.iterations.len() - 1).unwrap_or(u32::MAX);
                scope.push(LoopIteration { loop_id: id.clone(), iteration });
                self.add_canceled_nodes(&inner.body, last, scope, at);
                scope.pop();
            }
            if task.status == TaskStatus::Canceled {
                self.add_node_end(&TaskPath::new(scope, id), Outcome::Canceled, None, at);
            }
        }
    }
}

/// Returns the attempt that ended at `at`. Later attempts may have started in the same commit.
fn attempt_that_ended(attempts: &[Attempt], at: DateTime<Utc>) -> Option<&Attempt> {
    attempts.iter().rev().find(|attempt| attempt.ended_at == Some(at))
}

fn find_node<'a>(plan: &'a Plan, path: &TaskPath) -> Option<&'a PlanNode> {
    let mut level = plan;
    for scope in &path.scope {
        let Behavior::Loop(inner) = &level.nodes.get(level.index(&scope.loop_id)?)?.behavior else {
            return None;
        };
        level = &inner.body;
    }
    level.nodes.get(level.index(&path.node)?)
}
