//! The layers around the routes, and their order.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};

use crate::middleware::idempotency::{Idempotency, RespondToRepeated};
use crate::middleware::log_request::RequestObserver;
use crate::operations::Operations;
use crate::state::AppState;

pub(crate) mod authenticate;
pub(crate) mod cors;
pub(crate) mod error_body;
pub(crate) mod idempotency;
pub(crate) mod log_request;
pub(crate) mod normalize_path;
pub(crate) mod request_hash;
pub(crate) mod security_headers;
pub(crate) mod size_limit;
pub(crate) mod slow_body;
pub(crate) mod trace_context;

/// Wraps the routes in the layers, from the innermost to the outermost.
pub(crate) fn wrap(
    routes: Router,
    state: AppState,
    operations: Operations,
    respond: RespondToRepeated,
) -> Router {
    let settings = Arc::clone(&state.settings);
    let observer = Arc::new(RequestObserver {
        metrics: state.metrics.for_operations(operations.ids()),
        tracer: state.engine.tracer().cloned(),
        operations,
    });
    let routes = routes.layer(from_fn_with_state(Idempotency { state, respond }, check_and_run));
    // Outside of all layers that respond, so that pages can read every response.
    let routes = match settings.cors_origins.as_slice() {
        [] => routes,
        origins => routes.layer(cors::layer(origins)),
    };
    routes.layer(from_fn_with_state(observer, log_request::observe))
}

/// Checks a request, from the outermost check to the innermost, and runs its handler. The checks share one layer: a layer
/// allocates its future and clones all layers inside of it, for each request.
async fn check_and_run(State(idempotency): State<Idempotency>, request: Request, next: Next) -> Response {
    if let Some(problem) = size_limit::check_size(&request) {
        return problem.into_response();
    }
    let chunk_timeout = idempotency.state.settings.body_chunk_timeout;
    let handle = |request| {
        error_body::catch_panic(authenticate::authenticate(&idempotency.state, request, |request| {
            idempotency.replay_or_run(request, next)
        }))
    };
    slow_body::enforce_min_rate(chunk_timeout, request, handle).await
}
