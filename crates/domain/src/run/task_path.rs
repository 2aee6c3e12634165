use serde::{Deserialize, Serialize};

/// An iteration of a loop.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LoopIteration {
    /// The node id of the loop.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// The index of the iteration, from 0.
    pub iteration: u32,
}

/// The path of a task in a run: a node, and the iterations of the loops around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskPath {
    /// The iterations around the node, outermost first; empty at the top level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<LoopIteration>,
    /// The node id.
    pub node: String,
}

impl TaskPath {
    /// Returns the path of `node` in the iteration `scope`.
    #[must_use]
    pub fn new(scope: &[LoopIteration], node: &str) -> Self {
        Self { scope: scope.to_vec(), node: node.to_owned() }
    }

    /// Returns the scope of an iteration of this task, which is a loop.
    #[must_use]
    pub fn iteration_scope(&self, iteration: u32) -> Vec<LoopIteration> {
        let mut scope = self.scope.clone();
        scope.push(LoopIteration { loop_id: self.node.clone(), iteration });
        scope
    }
}

impl std::fmt::Display for TaskPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for step in &self.scope {
            write!(f, "{}[{}]/", step.loop_id, step.iteration)?;
        }
        f.write_str(&self.node)
    }
}
