use async_trait::async_trait;
use serde_json::{Map, Value};
use sluice_domain::run::{Effect, Failure, FailureKind};
use sluice_nodes::kinds::python_func::PythonFuncConfig;
use sluice_python::{Pool, PythonError};

use super::executor::Executor;

/// Runs the code of Python nodes in worker processes.
pub(super) struct PythonExecutor {
    pool: Pool,
}

impl PythonExecutor {
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl Executor for PythonExecutor {
    async fn execute(&self, effect: &Effect, inputs: &Map<String, Value>) -> Result<Value, Failure> {
        let config = PythonFuncConfig::from_fields(&effect.config).map_err(Failure::error)?;
        let output = self
            .pool
            .run_within(&config.code, inputs, effect.policy.timeout)
            .await
            .map_err(|error| Failure { kind: failure_kind(&error), error: error.to_string() })?;
        config.check_output(output).map_err(Failure::error)
    }
}

fn failure_kind(error: &PythonError) -> FailureKind {
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
