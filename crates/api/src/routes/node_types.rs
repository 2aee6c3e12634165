//! Node types.

use axum::Json as JsonResponse;
use serde::Serialize;

use crate::openapi::examples;
use crate::openapi::value_types::NodeTypesByCategory;

/// List node types.
///
/// Returns the node types by category, each with the JSON Schema of its config.
#[utoipa::path(
    get, path = "/node/supported_types/", tag = "catalogue", operation_id = "listNodeTypes",
    responses(
        (status = 200, description = "The node types of each category.", body = NodeTypesByCategory,
            example = json!(examples::node_types())),
    )
)]
pub(crate) async fn node_type_list() -> JsonResponse<impl Serialize> {
    JsonResponse(sluice_nodes::catalog())
}
