//! The catalogue: the kinds of nodes.

use std::collections::HashMap;

use axum::Json as Answer;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::examples;
use crate::values::NodeTypesByCategory;

/// A kind of node.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of what the catalogue of the nodes crate writes")]
pub(crate) struct NodeType {
    /// The name that a node's `node_type` gives.
    name: String,
    /// The JSON schema of what arrives.
    input: HashMap<String, Value>,
    /// The JSON schema of the output.
    output: HashMap<String, Value>,
    /// The JSON schema of the configuration; its `title` is the display name.
    config: HashMap<String, Value>,
    /// How an editor marks the kind.
    visual_tag: VisualTag,
    /// Whether every node of the kind gives the same fields.
    has_fixed_output: bool,
    /// The heading under which an editor shows the kind.
    #[schema(required = false, nullable = true)]
    category: Option<String>,
    /// An image of the kind.
    #[schema(required = false, nullable = true)]
    logo: Option<String>,
}

/// How an editor marks a kind of node.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of what the catalogue of the nodes crate writes")]
pub(crate) struct VisualTag {
    /// A few letters.
    acronym: String,
    /// A colour, as CSS writes it.
    color: String,
}

/// List the kinds of nodes.
///
/// By category, each with the JSON schema of its configuration.
#[utoipa::path(
    get, path = "/node/supported_types/", tag = "catalogue", operation_id = "listNodeTypes",
    responses(
        (status = 200, description = "The kinds of nodes of each category.", body = NodeTypesByCategory,
            example = json!(examples::node_types())),
    )
)]
pub(crate) async fn node_type_list() -> Answer<impl Serialize> {
    Answer(sluice_nodes::catalog())
}
