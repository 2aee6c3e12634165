use serde_json::{Map, Value};
use sluice_domain::run::{Plan, ReusedOutput};
use uuid::Uuid;

use super::start::{NewRun, StartRun};
use super::{Engine, spawn_detached};
use crate::change::ChangeOrigin;
use crate::error::EngineError;
use crate::snapshot::Snapshot;
use crate::store::RunRecord;

/// A request to start a run that reuses results of another run.
#[derive(Clone, Debug)]
pub struct Rerun {
    /// The original run.
    pub original: Snapshot,
    /// The version to run; by default the version of the original run.
    pub version_id: Option<Uuid>,
    /// The node to start from: results of its predecessors are reused. By default all nodes run again.
    pub from_node: Option<String>,
    /// {input node id: {field: value}}. Replaces inputs of the original run.
    pub inputs: Map<String, Value>,
    /// The origin of the start.
    pub origin: Option<ChangeOrigin>,
}

impl Engine {
    /// Starts a run that reuses results of another run. Returns it as soon as it is durable.
    ///
    /// # Errors
    /// [`EngineError::Rerun`] if the rerun is not possible, or those of [`Self::run_start`].
    pub async fn run_rerun(&self, rerun: Rerun) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        spawn_detached(async move {
            let version_id = rerun.version_id.unwrap_or(rerun.original.record.version_id);
            let plan = engine.0.plans.get(version_id).await?;
            let new = rerun.prepare(&plan)?;
            let (accepted, driver) = engine.start(new).await?;
            engine.drive(driver, None);
            Ok(accepted)
        })
        .await
    }
}

impl Rerun {
    /// Returns the run to start.
    fn prepare(self, plan: &Plan) -> Result<NewRun, EngineError> {
        let Self { original, version_id, from_node, inputs: new_inputs, origin } = self;
        if original.state.batch.is_some() {
            let reason = "A batch can't be rerun as a whole. Start a new batch, or rerun single rows.";
            return Err(EngineError::Rerun(reason.to_owned()));
        }
        let reused = match &from_node {
            Some(id) => {
                let from = plan.index(id).ok_or_else(|| no_such_node(id))?;
                original.state.reusable_outputs(&original.plan, plan, from)
            }
            None => Vec::new(),
        };
        for ReusedOutput { node, output } in &reused {
            if new_inputs.get(node).is_some_and(|inputs| output.as_deref() != Some(inputs)) {
                return Err(EngineError::Rerun(format!(
                    "The new inputs for \"{node}\" would be ignored, because its result is reused from the original \
                     run. Omit from_node to run everything with new inputs."
                )));
            }
        }
        let mut inputs = (*original.state.inputs).clone();
        inputs.extend(new_inputs);
        let RunRecord { id, workflow_id, version_id: original_version, run_type, .. } = original.record;
        let version_id = version_id.unwrap_or(original_version);
        let record =
            RunRecord { parent_run_id: Some(id), ..RunRecord::new(workflow_id, version_id, run_type) };
        Ok(NewRun { start: StartRun { record, inputs, origin }, reused: Some(reused), is_awaited: false })
    }
}

fn no_such_node(id: &str) -> EngineError {
    EngineError::Rerun(format!(
        "The workflow has no node \"{id}\" outside of loops. Send the id of a node that is not in a loop."
    ))
}
