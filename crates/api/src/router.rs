//! The table of contents: every path that is served.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use tower::{Layer, util::MapRequestLayer};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::operations::Operations;
use crate::routes::{
    audit, catalogue, datasets, files, health, labels, output_files, pause_events, pauses, runs, transfer,
    validation, versions, workflow_list, workflows,
};
use crate::{AppState, access, document, edge, headers, once, openapi};

/// Every call of the contract with its place in the document. Swagger UI shows the calls of a tag in this order: first
/// what a person needs first.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    let mut routes = OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(workflows::workflow_create, workflow_list::workflow_list))
        .routes(routes!(validation::workflow_validate))
        .routes(routes!(
            workflows::workflow_get,
            workflows::workflow_update,
            workflows::workflow_patch,
            workflows::workflow_delete
        ))
        .routes(routes!(workflows::workflow_duplicate))
        .routes(routes!(workflows::workflow_reset))
        .routes(routes!(versions::workflow_draw))
        .routes(routes!(workflows::output_variable_list))
        .routes(routes!(transfer::workflow_export))
        .routes(routes!(transfer::workflow_import))
        .routes(routes!(versions::version_list))
        .routes(routes!(versions::version_get))
        .routes(routes!(versions::version_diff))
        .routes(routes!(versions::version_restore))
        .routes(routes!(labels::label_list))
        .routes(routes!(labels::label_set, labels::label_delete))
        .routes(routes!(labels::label_rollback))
        .routes(routes!(labels::label_move_list))
        .routes(routes!(runs::start::run_start))
        .routes(routes!(runs::start::run_wait))
        .routes(routes!(runs::start::run_outputs))
        .routes(routes!(runs::start::run_partial))
        .routes(routes!(runs::read::run_list))
        .routes(routes!(runs::read::workflow_run_list))
        .routes(routes!(runs::read::run_get))
        .routes(routes!(runs::read::run_status))
        .routes(routes!(runs::events::run_events))
        .routes(routes!(runs::timeline::run_timeline))
        .routes(routes!(runs::read::run_cancel))
        .routes(routes!(runs::again::run_rerun))
        .routes(routes!(runs::again::run_retry))
        .routes(routes!(pauses::paused_workflow_list))
        .routes(routes!(pauses::pause_settle))
        .routes(routes!(pauses::pause_history))
        .routes(routes!(pause_events::pause_events))
        .merge(batches())
        .merge(files::router())
        .routes(routes!(catalogue::node_type_list))
        .routes(routes!(audit::audit_list))
        .routes(routes!(health::health))
        .routes(routes!(health::readiness));
    openapi::finish(routes.get_openapi_mut());
    routes
}

/// What takes files of rows; their limits are kept where they are read.
fn batches() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(runs::batch::batch_start))
        .routes(routes!(datasets::dataset_upload, datasets::dataset_list))
        .routes(routes!(datasets::dataset_get, datasets::dataset_delete))
        .routes(routes!(datasets::dataset_run_list))
        .routes(routes!(output_files::output_file_list))
        .routes(routes!(output_files::output_file_get))
        .routes(routes!(output_files::output_file_download))
        .layer(DefaultBodyLimit::disable())
}

/// The document as pages to read and to try out: what it needs is in the binary, and what it asks is this server.
fn swagger_ui() -> SwaggerUi {
    let config = Config::from("/openapi.json")
        // The document is this one: there is no need of a bar to choose another.
        .use_base_layout()
        // Or a server that isn't local has its document checked by a site of Swagger's.
        .validator_url("none")
        .default_model_expand_depth(2)
        .default_models_expand_depth(0)
        .show_common_extensions(true)
        .display_request_duration(true);
    SwaggerUi::new("/docs").config(config)
}

/// The whole interface, ready to be served.
pub fn app(state: AppState) -> Router {
    let (router, document) = routes().split_for_parts();
    let operations = Operations::of(&document);
    let edge = edge::Edge {
        settings: Arc::clone(&state.settings),
        counted: state.metrics.of(operations.ids()),
        tracer: state.engine.tracer().cloned(),
        operations,
    };
    let origins = state.settings.cors_origins.clone();
    let keyed = state.clone();
    let routed = router
        .with_state(state)
        .route("/openapi.json", get(document::served))
        .merge(swagger_ui())
        .fallback(|| async { StatusCode::NOT_FOUND.into_response() })
        .layer(axum::middleware::from_fn_with_state(keyed.clone(), once::once))
        .layer(axum::middleware::from_fn_with_state(keyed, access::access))
        .layer(CatchPanicLayer::custom(edge::panicked))
        .layer(axum::middleware::from_fn_with_state(edge, edge::edge));
    // A path is rewritten before it is routed, so this layer is around the router and not in it.
    let rewritten = MapRequestLayer::new(edge::rewritten).layer(routed);
    let app = Router::new().fallback_service(rewritten);
    if origins.is_empty() { app } else { app.layer(headers::cors(&origins)) }
}
