//! Executors of node kinds with side effects.

mod executor;
mod python;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use sluice_domain::run::{Effect, Failure};
use sluice_nodes::kinds::python_func;
use sluice_python::Pool;

pub use executor::Executor;
use python::PythonExecutor;

/// The executor of each node kind with side effects. Cheap to clone.
#[derive(Clone, Default)]
pub struct Executors(Arc<HashMap<&'static str, Box<dyn Executor>>>);

impl Executors {
    /// Registers the executors of the built-in node kinds.
    #[must_use]
    pub fn new(python: Pool) -> Self {
        let mut executors = HashMap::<&'static str, Box<dyn Executor>>::new();
        executors.insert(python_func::NODE_TYPE, Box::new(PythonExecutor::new(python)));
        Self(Arc::new(executors))
    }

    /// Executes a node of this type once. Dropping the future stops the execution.
    pub(crate) async fn execute(
        &self,
        node_type: &str,
        effect: &Effect,
        inputs: &Map<String, Value>,
    ) -> Result<Value, Failure> {
        #[cfg(feature = "failpoints")]
        ledger::record(effect, inputs);
        match self.0.get(node_type) {
            Some(executor) => executor.execute(effect, inputs).await,
            None => {
                Err(Failure::error(format!("This server has no executor for the node type \"{node_type}\".")))
            }
        }
    }
}

/// A side effect that tests can count: each execution appends a line to the file in the config field `test_ledger`.
#[cfg(feature = "failpoints")]
mod ledger {
    use std::io::Write as _;

    use serde_json::{Map, Value};
    use sluice_domain::run::Effect;

    pub(super) fn record(effect: &Effect, inputs: &Map<String, Value>) {
        let Some(path) = effect.config.get("test_ledger").and_then(Value::as_str) else { return };
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let line = format!("{}\n", Value::Object(inputs.clone()));
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::error!(%error, path, "test ledger not written");
        }
    }
}
