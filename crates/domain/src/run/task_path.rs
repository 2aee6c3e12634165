use serde::{Deserialize, Serialize};

/// One iteration of one loop.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// The id of the loop node.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// Which iteration, from 0.
    pub iteration: u32,
}

/// Where a task stands in a run: a node, and the iterations of the loops around it, outermost first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskPath {
    /// The iterations around the node; empty at the top.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<Scope>,
    /// The id of the node.
    pub node: String,
}

impl TaskPath {
    /// The task of `node` in the iteration `scope`.
    #[must_use]
    pub fn new(scope: &[Scope], node: &str) -> Self {
        Self { scope: scope.to_vec(), node: node.to_owned() }
    }

    /// The scope of iteration `iteration` of this task, which is a loop.
    #[must_use]
    pub fn iteration(&self, iteration: u32) -> Vec<Scope> {
        let mut scope = self.scope.clone();
        scope.push(Scope { loop_id: self.node.clone(), iteration });
        scope
    }
}

impl std::fmt::Display for TaskPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for scope in &self.scope {
            write!(f, "{}[{}]/", scope.loop_id, scope.iteration)?;
        }
        f.write_str(&self.node)
    }
}
