//! Request bodies that are rejected only if the resource in the path exists: 404 comes before 422.

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use uuid::Uuid;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::extract::path::{RunId, WorkflowId};
use crate::state::AppState;

/// A request body for the workflow in the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForWorkflow<B>(pub(crate) B);

impl<B: FromRequest<AppState, Rejection = Problem> + Send> FromRequest<AppState> for ForWorkflow<B> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let WorkflowId(id) = WorkflowId::from_request_parts(&mut parts, state).await?;
        let body = B::from_request(Request::from_parts(parts, body), state).await;
        valid_or_not_found(state, id, body).await.map(Self)
    }
}

/// A request body for the run in the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForRun<B>(pub(crate) B);

impl<B: FromRequest<AppState, Rejection = Problem> + Send> FromRequest<AppState> for ForRun<B> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let RunId(id) = RunId::from_request_parts(&mut parts, state).await?;
        match B::from_request(Request::from_parts(parts, body), state).await {
            Ok(body) => Ok(Self(body)),
            Err(_) if state.db.run_get(id).await?.is_none() => Err(Resource::Run.not_found()),
            Err(problem) => Err(problem),
        }
    }
}

/// Returns `result`, or 404 instead of a problem with the request if the workflow does not exist. Queries the database
/// for problems only.
pub(crate) async fn valid_or_not_found<T: Send>(
    state: &AppState,
    workflow_id: Uuid,
    result: Result<T, Problem>,
) -> Result<T, Problem> {
    match result {
        Err(_) if state.db.latest_version_id(workflow_id).await?.is_none() => {
            Err(Resource::Workflow.not_found())
        }
        result => result,
    }
}
