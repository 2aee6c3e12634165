//! Requests that start a run.

use std::collections::HashMap;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use sluice_engine::{ChangeOrigin, EngineError, RunRecord, Snapshot, StartRun};
use sluice_persistence::Pin;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::extract::query::{FromQuery, QueryReader};
use crate::openapi::value_types::{FieldsByNode, PathsByNode};
use crate::state::AppState;
use crate::uploads::{cleanup, data_uri};

/// Maximum of `wait_seconds`.
pub(crate) const MAX_WAIT_SECONDS: f64 = 3_600.0;

/// Inputs of a run.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct StartRunRequest {
    /// {input node id: {field: value}}. A string that is a base64 data URI, at any depth, is stored as a
    /// file. The input then has the path of the file instead.
    #[serde(default)]
    #[schema(value_type = Option<FieldsByNode>, required = false, nullable = true)]
    initial_inputs: Option<ObjectMap>,
    /// Id of a parent run to store with this run. By default, listRuns excludes runs with a parent.
    #[serde(default)]
    #[schema(required = false, nullable = true)]
    parent_run_id: Option<Uuid>,
    /// {node id: [path]}: paths of uploaded files. They become the input field `files` of the node.
    #[serde(default)]
    #[schema(value_type = Option<PathsByNode>, required = false, nullable = true)]
    files: Option<HashMap<String, Vec<String>>>,
}

/// An object of objects. Keeps the order of its keys.
#[derive(Debug, Default)]
pub(crate) struct ObjectMap(Map<String, Value>);

impl ObjectMap {
    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }
}

impl<'de> Deserialize<'de> for ObjectMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::<String, Value>::deserialize(deserializer)?;
        match map.iter().find(|(_, value)| !value.is_object()) {
            Some((key, _)) => Err(D::Error::custom(format_args!("{key:?} must be an object"))),
            None => Ok(Self(map)),
        }
    }
}

/// Options of a start.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StartQuery {
    /// Type of the run, chosen by the client.
    #[param(min_length = 1, max_length = 64, default = "interactive", required = false)]
    pub(super) run_type: String,
    /// Maximum time to wait until the run ends or pauses, in seconds. Limited by the server option
    /// `--max-run-wait-seconds` (default: 600). If absent, startRun responds immediately, and runWorkflow and
    /// runWorkflowV2 wait up to that limit. If the run is paused or still running after the wait, the response is 202
    /// with a `Location` header.
    #[param(minimum = 0, maximum = 3600, required = false)]
    pub(super) wait_seconds: Option<f64>,
}

impl FromQuery for StartQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self {
            run_type: reader.text("run_type").unwrap_or_else(|| "interactive".to_owned()),
            wait_seconds: reader.seconds("wait_seconds", MAX_WAIT_SECONDS),
        }
    }
}

impl StartQuery {
    /// Returns the wait time of the request, at most `longest`.
    pub(super) fn wait(&self, longest: Duration) -> Duration {
        let requested = self.wait_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        requested.unwrap_or(longest).min(longest)
    }
}

/// A request that starts a run.
pub(super) struct StartCall {
    pub(super) workflow_id: Uuid,
    pub(super) pin: Pin,
    pub(super) query: StartQuery,
    pub(super) request: StartRunRequest,
}

impl StartCall {
    /// Stores the data URIs among the inputs as files, and returns the run to start.
    pub(super) async fn into_start_run(
        self,
        state: &AppState,
        version_id: Uuid,
        origin: ChangeOrigin,
    ) -> Result<StartRun, Problem> {
        let Self { workflow_id, pin: _, query, request } = self;
        let StartRunRequest { initial_inputs, parent_run_id, files } = request;
        let inputs = add_files(initial_inputs.unwrap_or_default().0, files.unwrap_or_default());
        let inputs = data_uri::store_data_uris(&state.settings.data_dir, workflow_id, inputs).await?;
        let record = RunRecord { parent_run_id, ..RunRecord::new(workflow_id, version_id, query.run_type) };
        Ok(StartRun { record, inputs, origin: Some(origin) })
    }
}

/// Converts the error of a start to a problem. If the workflow was deleted meanwhile, removes the files that the
/// request has stored.
pub(super) async fn finish_start(
    state: &AppState,
    workflow_id: Uuid,
    missing: Resource,
    result: Result<Snapshot, EngineError>,
) -> Result<Snapshot, Problem> {
    if matches!(result, Err(EngineError::NotFound)) {
        cleanup::remove_folders(&state.settings.data_dir, workflow_id).await;
    }
    result.map_err(|error| missing.engine_problem(error))
}

/// Adds the paths of files to the inputs of their nodes.
fn add_files(mut inputs: Map<String, Value>, files: HashMap<String, Vec<String>>) -> Map<String, Value> {
    for (node_id, paths) in files {
        let node = inputs.entry(node_id).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(fields) = node {
            fields.insert("files".to_owned(), paths.into());
        }
    }
    inputs
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_are_added_to_the_other_inputs() {
        let Value::Object(inputs) = json!({"a": {"x": 1}}) else { unreachable!() };
        let files = HashMap::from([
            ("a".to_owned(), vec!["p/1".to_owned()]),
            ("b".to_owned(), vec!["p/2".to_owned()]),
        ]);
        let inputs = Value::Object(add_files(inputs, files));
        assert_eq!(inputs, json!({"a": {"x": 1, "files": ["p/1"]}, "b": {"files": ["p/2"]}}));
    }
}
