//! Schemas of values that workflows define, named so that clients get one type for each.

use std::collections::HashMap;

use serde_json::Value;
pub(crate) use sluice_domain::graph::RawObject as Fields;
use utoipa::ToSchema;

/// Fields of several nodes, by node id or title.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only declares a schema")]
pub(crate) struct FieldsByNode(HashMap<String, Fields>);

/// {node id: [output]} of a loop, in iteration order. Iterations without an output of the node are omitted, so an index
/// is not an iteration number.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only declares a schema")]
pub(crate) struct IterationsByNode(HashMap<String, Vec<Value>>);

/// Paths of uploaded files, by node id.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only declares a schema")]
pub(crate) struct PathsByNode(HashMap<String, Vec<String>>);

/// Node types by category.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only declares a schema")]
pub(crate) struct NodeTypesByCategory(HashMap<String, Vec<NodeType>>);

/// Content of the file, as bytes.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only declares a schema")]
pub(crate) struct Download(Vec<u8>);

/// A node type.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only describes the catalog, which the nodes crate writes")]
pub(crate) struct NodeType {
    /// Name, as in the `node_type` of a node.
    name: String,
    /// Placeholder: an object schema without properties, for every node type.
    input: HashMap<String, Value>,
    /// Placeholder: an object schema without properties, for every node type.
    output: HashMap<String, Value>,
    /// JSON Schema of the config. Its `title` is the display name.
    config: HashMap<String, Value>,
    /// Icon of the type in an editor.
    visual_tag: VisualTag,
    /// True if all nodes of the type have the same output fields.
    has_fixed_output: bool,
    /// Name of the external service that the node calls, such as `Slack`. Not the category in the key of the
    /// response. Absent for types without a service.
    #[schema(required = false, nullable = true)]
    category: Option<String>,
    /// Path of the logo of the external service in an editor, such as `/images/slack.png`. Absent for other
    /// types.
    #[schema(required = false, nullable = true)]
    logo: Option<String>,
}

/// Icon of a node type in an editor.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only describes the catalog, which the nodes crate writes")]
pub(crate) struct VisualTag {
    /// Short text of the icon.
    acronym: String,
    /// CSS color.
    color: String,
}
