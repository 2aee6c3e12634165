//! `POST /wf/process_pause_action/{run_id}/`

use std::sync::Arc;

use axum::Json as JsonResponse;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use sluice_domain::pause::{PauseAction, PauseDecision};
use utoipa::ToSchema;
use validator::Validate;

use crate::auth::caller::Caller;
use crate::change::ChangeContext;
use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{BodyProblems, NoOpenPause, RunMissing, ServerProblems};
use crate::extract::for_resource::ForRun;
use crate::extract::json::Json;
use crate::extract::path::RunId;
use crate::openapi::examples;
use crate::openapi::value_types::Fields;
use crate::patterns::no_control_characters;
use crate::routes::runs::view::Run;
use crate::routes::runs::view_with_version;
use crate::state::AppState;

/// Maximum length of `user_id`, in characters.
pub(crate) const MAX_USER_ID_LENGTH: u64 = 255;

/// A decision on an open pause.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct ResumeRunRequest {
    /// Values that the person entered. `APPROVE` adds them to the input of the gate, `OVERRIDE` replaces the input,
    /// `DECLINE` ignores them. Send `{}` if there are none.
    #[schema(value_type = Fields)]
    inputs: Map<String, Value>,
    /// Name of the person who decides.
    #[schema(max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    #[validate(length(max = MAX_USER_ID_LENGTH), custom(function = no_control_characters))]
    user_id: String,
    /// The decision.
    action: PauseAction,
    /// Comments on the decision.
    #[serde(default)]
    #[schema(required = false, nullable = true)]
    comments: Option<String>,
    /// Id of the gate node. Default: the gate of the oldest open pause.
    #[serde(default)]
    #[schema(required = false, nullable = true)]
    node_id: Option<String>,
}

impl From<ResumeRunRequest> for (Option<String>, PauseDecision) {
    fn from(request: ResumeRunRequest) -> Self {
        let ResumeRunRequest { inputs, user_id, action, comments, node_id } = request;
        (node_id, PauseDecision { action, user_id, inputs: Arc::new(inputs), comments })
    }
}

/// Decide a pause.
///
/// Decides the pause of `node_id`, or the oldest open pause if `node_id` is absent, and resumes the run. Only one of
/// several concurrent decisions takes effect. The decision is durable before the response is sent. With an API key,
/// `user_id` must be the name of the key, unless the key was created with `--for-others`.
#[utoipa::path(
    post, path = "/wf/process_pause_action/{run_id}/", tag = "pauses", operation_id = "processPauseAction",
    params(RunId),
    request_body(content = ResumeRunRequest, description = "The decision.", example = json!(examples::resume())),
    responses(
        (status = 200,
            description = "The run after the decision, with the status `RUNNING`. A `DECLINE` can then end it.",
            body = Run, example = json!(examples::completed_run())),
        RunMissing, BodyProblems, NoOpenPause, ServerProblems,
    )
)]
pub(crate) async fn pause_decide(
    State(state): State<AppState>,
    RunId(id): RunId,
    caller: Caller,
    change: ChangeContext,
    ForRun(Json(request)): ForRun<Json<ResumeRunRequest>>,
) -> Result<JsonResponse<Run>, Problem> {
    let (node_id, decision): (_, PauseDecision) = request.into();
    caller.require_acts_for(&decision.user_id)?;
    let decided = state.engine.pause_decide(id, node_id, decision, Some(change.origin())).await;
    let snapshot = decided.map_err(|error| Resource::Run.engine_problem(error))?;
    view_with_version(&state, &snapshot).await.map(JsonResponse)
}
