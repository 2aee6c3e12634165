use serde_json::{Map, Value};
use sluice_domain::run::{Plan, Reused};
use uuid::Uuid;

use crate::{EngineError, Remember, Snapshot, StartRun};

/// A run that is to be made from another one.
#[derive(Clone, Debug)]
pub struct Rerun {
    /// The other one.
    pub run_id: Uuid,
    /// The version to run; that of the other one where none is given.
    pub version_id: Option<Uuid>,
    /// Where to begin: results upstream of this node are taken over. Without it everything runs again.
    pub from_node: Option<String>,
    /// {input node id: {field: value}}, in place of those of the other one.
    pub inputs: Map<String, Value>,
    /// What is kept for a client that asks again.
    pub remember: Option<Remember<Snapshot>>,
}

impl Rerun {
    /// The run to start, and what it takes over of `old`.
    pub(crate) fn prepare(self, old: &Snapshot, plan: &Plan) -> Result<(StartRun, Vec<Reused>), EngineError> {
        if old.state.batch.is_some() {
            let reason = "A batch can't be run again as a whole. Start a new one, or run single rows again.";
            return Err(EngineError::Rerun(reason.to_owned()));
        }
        let reused = match &self.from_node {
            Some(id) => {
                let from = plan.index(id).ok_or_else(|| no_such_node(id))?;
                old.state.reusable(&old.plan, plan, from)
            }
            None => Vec::new(),
        };
        let unused =
            reused.iter().find(|r| self.inputs.get(&r.node).is_some_and(|i| r.output.as_deref() != Some(i)));
        if let Some(Reused { node, .. }) = unused {
            return Err(EngineError::Rerun(format!(
                "New inputs for \"{node}\" would not be used: its result is taken over from the other run. \
                 Leave out from_node to run everything on new inputs."
            )));
        }
        let mut inputs = (*old.state.inputs).clone();
        inputs.extend(self.inputs);
        let start = StartRun {
            workflow_id: old.record.workflow_id,
            version_id: self.version_id.unwrap_or(old.record.version_id),
            inputs,
            parent_run_id: Some(self.run_id),
            batch_row: None,
            run_type: old.record.run_type.clone(),
            remember: self.remember,
        };
        Ok((start, reused))
    }
}

fn no_such_node(id: &str) -> EngineError {
    EngineError::Rerun(format!(
        "There is no node \"{id}\" at the top of the workflow. Name one of its nodes."
    ))
}
