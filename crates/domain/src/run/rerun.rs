//! Runs that begin with what another run has found out.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::values::Memo;
use super::{CancelReason, Plan, RunState, TaskStatus};

/// What a node gave in another run.
#[derive(Clone, Debug, PartialEq)]
pub struct Reused {
    /// The id of the node, which stands at the top.
    pub node: String,
    /// What it gave; none for null.
    pub output: Option<Arc<Value>>,
}

impl RunState {
    /// What a new run of `next` can take over from this one, a run of `plan`, when it is to begin with the
    /// node `from` of `next`: the results upstream of that node, as far as every result before them is
    /// taken over too. Branches that a person declined are not: the person is asked again.
    #[must_use]
    pub fn reusable(&self, plan: &Plan, next: &Plan, from: usize) -> Vec<Reused> {
        let mut reused: Vec<Reused> = Vec::new();
        let mut taken = HashSet::new();
        for index in next.upstream_of(from) {
            let node = &next.nodes[index];
            if !node.incoming.iter().all(|edge| taken.contains(&edge.source)) {
                continue;
            }
            let Some(task) = self.root.tasks.get(&*node.id) else { continue };
            let output = match (task.status, task.canceled) {
                (TaskStatus::Completed, _) => self.output_by(plan, &[], &node.id, &Memo::default()),
                (TaskStatus::Canceled, Some(CancelReason::NullInput | CancelReason::NullOutput)) => None,
                _ => continue,
            };
            taken.insert(index);
            reused.push(Reused { node: node.id.to_string(), output });
        }
        reused
    }
}
