use crate::run::{Behavior, Frame, LoopIteration, Plan, RunState, TaskPath, TaskState, TaskStatus};

/// A task in a timeline: one node in one iteration of each loop around it.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineTask {
    /// The path in the run.
    pub path: TaskPath,
    /// The key of its output among the outputs of its level, usually the title.
    pub title: String,
    /// The status.
    pub status: TaskStatus,
    /// The state, without output and iterations. Tasks in iterations are listed separately.
    pub task: TaskState,
}

impl RunState {
    /// Returns every task that has started or is queued, including those in loops, by start time. Tasks with the same
    /// start time are in the order of the plan.
    #[must_use]
    pub fn timeline(&self, plan: &Plan) -> Vec<TimelineTask> {
        let mut tasks = Vec::new();
        self.collect_tasks(plan, &self.root, &[], &mut tasks);
        tasks.sort_by_key(|task| task.task.started_at.or(task.task.queued_at));
        tasks
    }

    fn collect_tasks(
        &self,
        level: &Plan,
        frame: &Frame,
        scope: &[LoopIteration],
        tasks: &mut Vec<TimelineTask>,
    ) {
        for node in &level.nodes {
            let Some(task) = frame.tasks.get(&*node.id).filter(|task| is_visible(task)) else { continue };
            let path = TaskPath::new(scope, &node.id);
            let status =
                if scope.is_empty() { self.visible_status(&node.id, task.status) } else { task.status };
            let state = TaskState { iterations: Vec::new(), output: None, ..task.clone() };
            let title = node.label.to_string();
            tasks.push(TimelineTask { path: path.clone(), title, status, task: state });
            if let Behavior::Loop(body) = &node.behavior {
                for (iteration, frame) in (0..).zip(&task.iterations) {
                    self.collect_tasks(&body.body, frame, &path.iteration_scope(iteration), tasks);
                }
            }
        }
    }
}

/// Returns true if a task has started, or had attempts before a retry of the run.
fn is_visible(task: &TaskState) -> bool {
    task.has_started() || !task.attempts.is_empty()
}
