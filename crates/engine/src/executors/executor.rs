//! The trait of executors.

use async_trait::async_trait;
use serde_json::{Map, Value};
use sluice_domain::run::{Effect, Failure};

/// Executes the nodes of one kind.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Executes a node once, within the timeout of its policy. Dropping the future stops the execution.
    ///
    /// # Errors
    /// The attempt failed. The policy of the node may retry it.
    async fn execute(&self, effect: &Effect, inputs: &Map<String, Value>) -> Result<Value, Failure>;
}
