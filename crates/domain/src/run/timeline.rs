use super::plan::{Behaviour, Plan};
use super::{Frame, RunState, Scope, TaskPath, TaskState, TaskStatus};

/// The work of one node, in one iteration of each loop around it.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineTask {
    /// Where it stands in the run.
    pub path: TaskPath,
    /// The key of its output among those of its level: mostly its title.
    pub title: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// What became of it. Without its iterations: they are tasks of their own.
    pub task: TaskState,
}

impl RunState {
    /// Every task that has begun or waits for a place, also inside of loops, in the order in which they
    /// began; what began at the same time in the order of the plan.
    #[must_use]
    pub fn timeline(&self, plan: &Plan) -> Vec<TimelineTask> {
        let mut tasks = Vec::new();
        self.collect(plan, &self.root, &[], &mut tasks);
        tasks.sort_by_key(|task| task.task.started_at.or(task.task.queued_at));
        tasks
    }

    fn collect(&self, level: &Plan, frame: &Frame, scope: &[Scope], found: &mut Vec<TimelineTask>) {
        for node in &level.nodes {
            let Some(task) = frame.tasks.get(&*node.id).filter(|task| is_shown(task)) else { continue };
            let path = TaskPath::new(scope, &node.id);
            let status =
                if scope.is_empty() { self.visible_status(&node.id, task.status) } else { task.status };
            let bare = TaskState { iterations: Vec::new(), output: None, ..task.clone() };
            let title = node.label.to_string();
            found.push(TimelineTask { path: path.clone(), title, status, task: bare });
            if let Behaviour::Loop(body) = &node.behaviour {
                for (iteration, frame) in (0..).zip(&task.iterations) {
                    self.collect(&body.body, frame, &path.iteration(iteration), found);
                }
            }
        }
    }
}

/// A task that a retry of its run takes up again has attempts before it begins anew.
fn is_shown(task: &TaskState) -> bool {
    task.has_begun() || !task.attempts.is_empty()
}
