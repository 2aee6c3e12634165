//! Runs that reuse outputs of another run.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::{CancelReason, Plan, RunState, TaskStatus};

/// An output of another run.
#[derive(Clone, Debug, PartialEq)]
pub struct ReusedOutput {
    /// The id of the node, which is at the top level.
    pub node: String,
    /// The output. `None` for null.
    pub output: Option<Arc<Value>>,
}

impl RunState {
    /// Returns the outputs that a rerun can reuse. This run executes `plan`. The rerun executes `next` from the node
    /// `from` on. An output is reused if its node is upstream of `from` and the outputs of all its predecessors are
    /// reused too. Declined branches are not reused: a person decides again.
    #[must_use]
    pub fn reusable_outputs(&self, plan: &Plan, next: &Plan, from: usize) -> Vec<ReusedOutput> {
        let mut reused: Vec<ReusedOutput> = Vec::new();
        let mut indices = HashSet::new();
        for index in next.upstream_of(from) {
            let node = &next.nodes[index];
            if !node.incoming.iter().all(|edge| indices.contains(&edge.source)) {
                continue;
            }
            let Some(task) = self.root.tasks.get(&*node.id) else { continue };
            let output = match (task.status, task.canceled) {
                (TaskStatus::Completed, _) => self.output(plan, &[], &node.id),
                (TaskStatus::Canceled, Some(CancelReason::NullInput | CancelReason::NullOutput)) => None,
                _ => continue,
            };
            indices.insert(index);
            reused.push(ReusedOutput { node: node.id.to_string(), output });
        }
        reused
    }
}
