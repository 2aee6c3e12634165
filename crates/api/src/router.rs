//! The router: every path with its handler and scope.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, get, on};
use axum::{Extension, Router};
use serde_json::Value;
use sluice_domain::api_scope::ApiScope::{self, *};
use utoipa::openapi::HttpMethod;
use utoipa::{OpenApi, Path};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::extract::pagination;
use crate::middleware;
use crate::openapi::{OpenApiVersion, build};
use crate::operations::{Operation, Operations};
use crate::routes::openapi::{Documents, document_get};
use crate::routes::{
    audit_log, datasets, health, labels, node_types, output_files, pauses, replay, runs, test_files,
    validation, versions, workflows,
};
use crate::state::AppState;

/// Defines tables of operations, each with its scope and handler. Each table becomes a router. The OpenAPI descriptions
/// are separate, so that a server builds the document only on request.
macro_rules! tables {
    ($(
        $(#[$meta:meta])*
        $table:ident { $($scope:expr => $($module:ident)::+ / $handler:ident),+ $(,)? }
    )+) => { pastey::paste! {
        /// OpenAPI descriptions of all handlers.
        #[derive(OpenApi)]
        #[openapi(paths($($($($module::)+ $handler),+),+))]
        pub(crate) struct Descriptions;

        $(
            $(#[$meta])*
            fn $table() -> Router<AppState> {
                Router::new()$(.route(
                    &Route::<$($module::)+[<__path_ $handler>]>::path(),
                    on(Route::<$($module::)+[<__path_ $handler>]>::methods(), $($module::)+ $handler),
                ))+
            }
        )+

        /// Returns all operations.
        pub(crate) fn operations() -> Operations {
            [$($(Route::<$($module::)+[<__path_ $handler>]>::operation($scope)),+),+].into_iter().collect()
        }
    }};
}

tables! {
    /// Routes without uploads. Swagger UI lists the operations of a tag in this order.
    routes_without_uploads {
        Some(WorkflowsWrite) => workflows::create / workflow_create,
        Some(WorkflowsRead) => workflows::list / workflow_list,
        Some(WorkflowsRead) => validation / workflow_validate,
        Some(WorkflowsRead) => workflows::get / workflow_get,
        Some(WorkflowsWrite) => workflows::update / workflow_update,
        Some(WorkflowsWrite) => workflows::patch / workflow_patch,
        Some(WorkflowsWrite) => workflows::delete / workflow_delete,
        Some(WorkflowsWrite) => workflows::duplicate / workflow_duplicate,
        Some(WorkflowsWrite) => workflows::reset / workflow_reset,
        Some(WorkflowsRead) => versions::graph / workflow_draw,
        Some(WorkflowsRead) => workflows::output_variables / output_variable_list,
        Some(WorkflowsRead) => workflows::export / workflow_export,
        Some(WorkflowsWrite) => workflows::import / workflow_import,
        Some(WorkflowsRead) => versions::list / version_list,
        Some(WorkflowsRead) => versions::get / version_get,
        Some(WorkflowsRead) => versions::diff / version_diff,
        Some(WorkflowsWrite) => versions::restore / version_restore,
        Some(WorkflowsRead) => labels / label_list,
        Some(WorkflowsWrite) => labels / label_set,
        Some(WorkflowsWrite) => labels / label_delete,
        Some(WorkflowsWrite) => labels / label_rollback,
        Some(WorkflowsRead) => labels / label_move_list,
        Some(RunsWrite) => runs::start / run_start,
        Some(RunsWrite) => runs::run_and_wait / run_wait,
        Some(RunsWrite) => runs::run_and_wait / run_outputs,
        Some(RunsWrite) => runs::partial / run_partial,
        Some(RunsRead) => runs::list / run_list,
        Some(RunsRead) => runs::list / workflow_run_list,
        Some(RunsRead) => runs::get / run_get,
        Some(RunsRead) => runs::get / run_status,
        Some(RunsRead) => runs::events / run_events,
        Some(RunsRead) => runs::timeline / run_timeline,
        Some(RunsWrite) => runs::cancel / run_cancel,
        Some(RunsWrite) => runs::rerun / run_rerun,
        Some(RunsWrite) => runs::retry / run_retry,
        Some(ApprovalsRead) => pauses::list / paused_workflow_list,
        Some(ApprovalsWrite) => pauses::decide / pause_decide,
        Some(ApprovalsRead) => pauses::history / pause_history,
        Some(ApprovalsRead) => pauses::events / pause_events,
        Some(WorkflowsRead) => node_types / node_type_list,
        Some(Admin) => audit_log / audit_list,
        None => health / health,
        None => health / readiness,
    }
    /// Routes with uploads. Their extractors enforce the size limits.
    uploads {
        Some(RunsWrite) => runs::batch / batch_start,
        Some(RunsWrite) => datasets / dataset_upload,
        Some(RunsRead) => datasets / dataset_list,
        Some(RunsRead) => datasets / dataset_get,
        Some(RunsWrite) => datasets / dataset_delete,
        Some(RunsRead) => datasets / dataset_run_list,
        Some(RunsRead) => output_files / output_file_list,
        Some(RunsRead) => output_files / output_file_get,
        Some(RunsRead) => output_files / output_file_download,
        Some(RunsWrite) => test_files / test_file_upload,
    }
}

/// Path, method and OpenAPI operation of a handler.
struct Route<P>(PhantomData<P>);

impl<P: Path> Route<P> {
    fn path() -> String {
        P::path()
    }

    fn methods() -> MethodFilter {
        let filters = P::methods().into_iter().map(|method| match method {
            HttpMethod::Put => MethodFilter::PUT,
            HttpMethod::Post => MethodFilter::POST,
            HttpMethod::Delete => MethodFilter::DELETE,
            HttpMethod::Patch => MethodFilter::PATCH,
            _ => MethodFilter::GET,
        });
        filters.reduce(MethodFilter::or).unwrap_or(MethodFilter::GET)
    }

    fn operation(scope: Option<ApiScope>) -> (String, MethodFilter, Operation) {
        let id = P::operation().operation_id.unwrap_or_default();
        (P::path(), Self::methods(), Operation { id, scope })
    }
}

/// Returns Swagger UI, whose files are part of the binary. It sends requests only to this server.
fn swagger_ui() -> SwaggerUi {
    let config = Config::from("/openapi.json")
        // There is only one document, so the bar to select another is not needed.
        .use_base_layout()
        // By default, a server that is not local has its document validated by swagger.io.
        .validator_url("none")
        .default_model_expand_depth(2)
        .default_models_expand_depth(0)
        .show_common_extensions(true)
        .display_request_duration(true);
    SwaggerUi::new("/docs").config(config)
}

/// Returns the OpenAPI document.
#[must_use]
pub fn document(version: OpenApiVersion) -> Value {
    let mut descriptions = Descriptions::openapi();
    descriptions.components.get_or_insert_default().schemas.extend(pagination::sort_schemas());
    build::build(descriptions, &operations(), version)
}

/// Returns the OpenAPI document as text.
#[must_use]
pub fn document_text(version: OpenApiVersion) -> String {
    serde_json::to_string_pretty(&document(version)).unwrap_or_default()
}

/// Returns the router of the API. Requests must pass [`normalize_path`](crate::normalize_path) first.
pub fn app(state: AppState) -> Router {
    let routes = routes_without_uploads()
        .merge(uploads().layer(DefaultBodyLimit::disable()))
        .route("/openapi.json", get(document_get).layer(Extension(Arc::new(Documents::new(document_text)))))
        .with_state(state.clone())
        .merge(swagger_ui())
        .fallback(|| async { StatusCode::NOT_FOUND.into_response() });
    middleware::wrap(routes, state, operations(), replay::respond)
}
