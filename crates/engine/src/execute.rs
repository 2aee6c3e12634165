use std::sync::Arc;

use serde_json::{Map, Value};
use sluice_domain::run::{Effect, Failure, FailureKind};
use sluice_python::{Pool, PythonError};

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

    /// Executes a node of this type once, within the time that its policy gives. Dropping the future stops
    /// the work.
    ///
    /// # Errors
    /// What went wrong.
    pub(crate) async fn execute(
        &self,
        node_type: &str,
        effect: &Effect,
        inputs: Arc<Map<String, Value>>,
    ) -> Result<Value, Failure> {
        #[cfg(feature = "failpoints")]
        trace::leave(effect, &inputs);
        match node_type {
            sluice_nodes::PYTHON_FUNC => self.python(effect, &inputs).await,
            other => {
                Err(Failure::error(format!("The node type \"{other}\" can't be run by this server yet.")))
            }
        }
    }

    async fn python(&self, effect: &Effect, inputs: &Map<String, Value>) -> Result<Value, Failure> {
        let config = sluice_nodes::PythonFuncConfig::from_fields(&effect.config).map_err(Failure::error)?;
        let output = self.python.run_within(&config.code, inputs, effect.policy.timeout).await;
        let output = output.map_err(|error| Failure { kind: kind(&error), error: error.to_string() })?;
        sluice_nodes::check_output(&config, output).map_err(Failure::error)
    }
}

fn kind(error: &PythonError) -> FailureKind {
    match error {
        PythonError::Timeout(_) => FailureKind::Timeout,
        PythonError::Crashed(_) | PythonError::Worker(_) => FailureKind::Crash,
        PythonError::Syntax { .. }
        | PythonError::Raised { .. }
        | PythonError::Memory(_)
        | PythonError::Recursion(_)
        | PythonError::OutputTooLarge(_)
        | PythonError::NotJson(_)
        | PythonError::Unsupported(_) => FailureKind::Error,
    }
}

/// In test builds a node has an effect that can be counted from outside: a line in the file that the field
/// `test_ledger` of its config names.
#[cfg(feature = "failpoints")]
mod trace {
    use std::io::Write as _;

    use serde_json::{Map, Value};
    use sluice_domain::run::Effect;

    pub(super) fn leave(effect: &Effect, inputs: &Map<String, Value>) {
        let Some(path) = effect.config.get("test_ledger").and_then(Value::as_str) else { return };
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let line = format!("{}\n", Value::Object(inputs.clone()));
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::error!(%error, "the ledger of a test can't be written");
        }
    }
}
