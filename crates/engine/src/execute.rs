use std::sync::Arc;

use serde_json::{Map, Value};
use sluice_python::Pool;

/// Performs what nodes do outside of the log.
#[derive(Clone)]
pub struct Executors {
    python: Pool,
}

impl Executors {
    /// Runs Python in the workers of `python`.
    #[must_use]
    pub fn new(python: Pool) -> Self {
        Self { python }
    }

    /// Executes a node of this type. Dropping the future stops the work.
    ///
    /// # Errors
    /// A sentence for the author of the workflow.
    pub(crate) async fn execute(
        &self,
        node_type: &str,
        config: &Map<String, Value>,
        inputs: Arc<Map<String, Value>>,
    ) -> Result<Value, String> {
        match node_type {
            sluice_nodes::PYTHON_FUNC => {
                let config = sluice_nodes::PythonFuncConfig::from_fields(config)?;
                let output =
                    self.python.run(&config.code, &inputs).await.map_err(|error| error.to_string())?;
                sluice_nodes::check_output(&config, output)
            }
            other => Err(format!("The node type \"{other}\" can't be run by this server yet.")),
        }
    }
}
