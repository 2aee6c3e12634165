//! Responses to repeated requests, built from the outcome of the change.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::BoxFuture;
use sluice_engine::RunOutcome;
use sluice_persistence::Outcome;

use crate::error::Problem;
use crate::middleware::idempotency::RepeatedRequest;
use crate::routes::datasets::Dataset;
use crate::routes::labels::Label;
use crate::routes::runs::load_earlier_run;
use crate::routes::workflows::Workflow;
use crate::routes::workflows::import::respond_to_repeated_import;
use crate::state::AppState;

/// Builds the response to a repeated request.
pub(crate) fn respond(
    state: AppState,
    repeated: RepeatedRequest,
) -> BoxFuture<'static, Result<Response, Problem>> {
    Box::pin(async move {
        let RepeatedRequest { request, outcome, changed_at } = repeated;
        Ok(match outcome {
            Outcome::Workflow(row) => Workflow::with_etag(row)?.into_response(),
            Outcome::Label(row) => Json(Label::from(row)).into_response(),
            Outcome::Dataset(row) => Json(Dataset::from(row)).into_response(),
            Outcome::Import(imported) => {
                Json(respond_to_repeated_import(&state, request, imported).await?).into_response()
            }
            Outcome::Run(RunOutcome::Changed { run_id, log_length }) => {
                Json(load_earlier_run(&state, run_id, log_length, changed_at).await?).into_response()
            }
            // The middleware calls the handler, which waits for the run.
            Outcome::Run(RunOutcome::Awaited { .. }) => {
                return Err(Problem::internal("the outcome of an awaited run has no response"));
            }
        })
    })
}
