//! The layers around the routes, and their order.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tower::Layer as _;
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;

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
    let observer = RequestObserver {
        metrics: state.metrics.for_operations(operations.ids()),
        tracer: state.engine.tracer().cloned(),
        operations,
    };
    let routes = routes
        .layer(from_fn_with_state(Idempotency { state: state.clone(), respond }, idempotency::replay_or_run))
        .layer(from_fn_with_state(state, authenticate::authenticate))
        .layer(CatchPanicLayer::custom(error_body::respond_to_panic))
        .layer(from_fn_with_state(Arc::clone(&settings), slow_body::enforce_min_rate))
        .layer(from_fn(size_limit::reject_oversized));
    // Outside of all layers that respond, so that pages can read every response.
    let routes = match settings.cors_origins.as_slice() {
        [] => routes,
        origins => routes.layer(cors::layer(origins)),
    };
    let routes = routes.layer(from_fn_with_state(observer, log_request::observe));
    // The path is rewritten before routing, so this layer is around the router.
    Router::new().fallback_service(MapRequestLayer::new(normalize_path::normalize_path).layer(routes))
}
