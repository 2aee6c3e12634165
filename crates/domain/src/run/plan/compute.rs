use std::fmt::Debug;
use std::sync::Arc;

use serde_json::{Map, Value};

/// The computation of a node without side effects.
pub trait Compute: Debug + Send + Sync {
    /// Computes the output from the inputs; null if the node has no output.
    ///
    /// # Errors
    /// A sentence for the author of the workflow.
    fn compute(&self, inputs: &Inputs) -> Result<Value, String>;
}

/// The check that an input node makes on the inputs of a run.
pub trait CheckInput: Debug + Send + Sync {
    /// Checks `input`.
    ///
    /// # Errors
    /// A sentence for the caller that started the run.
    fn check(&self, input: &Value) -> Result<(), String>;

    /// Returns true if the check may take long.
    fn is_slow(&self) -> bool {
        false
    }
}

/// The inputs of a node in link order, without nulls.
#[derive(Clone, Debug, Default)]
pub struct Inputs(pub Vec<NamedInput>);

/// The output of one predecessor.
#[derive(Clone, Debug)]
pub struct NamedInput {
    /// The title of the predecessor, or its id if an earlier one has that title.
    pub label: Arc<str>,
    /// The node id of the predecessor.
    pub node_id: Arc<str>,
    /// The output; for a router, the part of one route.
    pub value: Arc<Value>,
}

impl Inputs {
    /// Returns the inputs as `{label: output}`.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        self.0.iter().map(|input| (input.label.to_string(), (*input.value).clone())).collect()
    }

    /// Returns the input with this label.
    #[must_use]
    pub fn get(&self, label: &str) -> Option<&Value> {
        self.0.iter().find(|input| &*input.label == label).map(|input| &*input.value)
    }
}
