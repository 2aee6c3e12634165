//! The table of contents: every path that is served.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, get, on};
use sluice_domain::api_scope::ApiScope::{self, *};
use tower::{Layer, util::MapRequestLayer};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::HttpMethod;
use utoipa::{OpenApi, Path};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::operations::{Operation, Operations};
use crate::routes::{
    audit, catalogue, datasets, files, health, labels, output_files, pause_events, pauses, runs, transfer,
    validation, versions, workflow_list, workflows,
};
use crate::{AppState, access, document, edge, headers, once};

/// Tables of calls: what a key needs to make them, and where their handlers are. A table says how its calls are served;
/// what the document says of them is apart, since a server that nobody asks for its document never makes it.
macro_rules! tables {
    ($(
        $(#[$meta:meta])*
        $table:ident { $($scope:expr => $($module:ident)::+ / $handler:ident),+ $(,)? }
    )+) => { pastey::paste! {
        /// What the handlers say of themselves.
        #[derive(OpenApi)]
        #[openapi(paths($($($($module::)+ $handler),+),+))]
        pub(crate) struct Described;

        $(
            $(#[$meta])*
            fn $table() -> Router<AppState> {
                Router::new()$(.route(
                    &Served::<$($module::)+[<__path_ $handler>]>::path(),
                    on(Served::<$($module::)+[<__path_ $handler>]>::methods(), $($module::)+ $handler),
                ))+
            }
        )+

        /// Every call.
        pub(crate) fn operations() -> Operations {
            [$($(Served::<$($module::)+[<__path_ $handler>]>::operation($scope)),+),+].into_iter().collect()
        }
    }};
}

tables! {
    /// In the order in which Swagger UI shows the calls of a tag: first what a person needs first.
    calls {
        Some(WorkflowsWrite) => workflows / workflow_create,
        Some(WorkflowsRead) => workflow_list / workflow_list,
        Some(WorkflowsRead) => validation / workflow_validate,
        Some(WorkflowsRead) => workflows / workflow_get,
        Some(WorkflowsWrite) => workflows / workflow_update,
        Some(WorkflowsWrite) => workflows / workflow_patch,
        Some(WorkflowsWrite) => workflows / workflow_delete,
        Some(WorkflowsWrite) => workflows / workflow_duplicate,
        Some(WorkflowsWrite) => workflows / workflow_reset,
        Some(WorkflowsRead) => versions / workflow_draw,
        Some(WorkflowsRead) => workflows / output_variable_list,
        Some(WorkflowsRead) => transfer / workflow_export,
        Some(WorkflowsWrite) => transfer / workflow_import,
        Some(WorkflowsRead) => versions / version_list,
        Some(WorkflowsRead) => versions / version_get,
        Some(WorkflowsRead) => versions / version_diff,
        Some(WorkflowsWrite) => versions / version_restore,
        Some(WorkflowsRead) => labels / label_list,
        Some(WorkflowsWrite) => labels / label_set,
        Some(WorkflowsWrite) => labels / label_delete,
        Some(WorkflowsWrite) => labels / label_rollback,
        Some(WorkflowsRead) => labels / label_move_list,
        Some(RunsWrite) => runs::start / run_start,
        Some(RunsWrite) => runs::start / run_wait,
        Some(RunsWrite) => runs::start / run_outputs,
        Some(RunsWrite) => runs::start / run_partial,
        Some(RunsRead) => runs::read / run_list,
        Some(RunsRead) => runs::read / workflow_run_list,
        Some(RunsRead) => runs::read / run_get,
        Some(RunsRead) => runs::read / run_status,
        Some(RunsRead) => runs::events / run_events,
        Some(RunsRead) => runs::timeline / run_timeline,
        Some(RunsWrite) => runs::read / run_cancel,
        Some(RunsWrite) => runs::again / run_rerun,
        Some(RunsWrite) => runs::again / run_retry,
        Some(ApprovalsRead) => pauses / paused_workflow_list,
        Some(ApprovalsWrite) => pauses / pause_decide,
        Some(ApprovalsRead) => pauses / pause_history,
        Some(ApprovalsRead) => pause_events / pause_events,
        Some(WorkflowsRead) => catalogue / node_type_list,
        Some(Admin) => audit / audit_list,
        None => health / health,
        None => health / readiness,
    }
    /// What takes files; their limits are kept where they are read.
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
        Some(RunsWrite) => files / test_file_upload,
    }
}

/// What a handler says of itself.
struct Served<P>(PhantomData<P>);

impl<P: Path> Served<P> {
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
    let operations = operations();
    let edge = edge::Edge {
        counted: state.metrics.of(operations.ids()),
        tracer: state.engine.tracer().cloned(),
        operations,
    };
    let origins = state.settings.cors_origins.clone();
    let (keyed, settings) = (state.clone(), Arc::clone(&state.settings));
    let routed = calls()
        .merge(uploads().layer(DefaultBodyLimit::disable()))
        .route("/openapi.json", get(document::served))
        .with_state(state)
        .merge(swagger_ui())
        .fallback(|| async { StatusCode::NOT_FOUND.into_response() })
        .layer(axum::middleware::from_fn_with_state(keyed.clone(), once::once))
        .layer(axum::middleware::from_fn_with_state(keyed, access::access))
        .layer(CatchPanicLayer::custom(edge::panicked))
        .layer(axum::middleware::from_fn_with_state(settings, edge::bounded));
    // Around all that answers, so that a page can read it, and inside of what is told of every answer.
    let routed = if origins.is_empty() { routed } else { routed.layer(headers::cors(&origins)) };
    let routed = routed.layer(axum::middleware::from_fn_with_state(edge, edge::edge));
    // A path is rewritten before it is routed, so this layer is around the router and not in it.
    let rewritten = MapRequestLayer::new(edge::rewritten).layer(routed);
    Router::new().fallback_service(rewritten)
}
