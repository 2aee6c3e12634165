use serde::{Deserialize, Deserializer, Serialize};

use super::RawObject;
use crate::strict_object::strict_object;

/// The maximum number of nodes of a definition, not counting those of its subworkflows.
pub const MAX_NODES: usize = 100_000;
/// The maximum number of links of a definition, not counting those of its subworkflows.
pub const MAX_LINKS: usize = 400_000;
/// The maximum length of the id or title of a node, in characters.
pub const MAX_NODE_NAME_LENGTH: usize = 1_000;

/// A workflow graph: nodes, and links that pass outputs to other nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = WorkflowDefinition))]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(rename = "WorkflowDefinition"))]
#[serde(remote = "Self")]
pub struct Definition {
    /// The nodes. The tasks and outputs of a run follow their order.
    #[cfg_attr(feature = "openapi", schema(max_items = 100_000))]
    pub nodes: Vec<Node>,
    /// The links between the nodes.
    #[cfg_attr(feature = "openapi", schema(max_items = 400_000))]
    pub links: Vec<Link>,
    /// Sample inputs stored by an editor. They do not affect execution.
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<RawObject>>, required = false, nullable = true))]
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<Vec<RawObject>>"))]
    pub test_inputs: Vec<RawObject>,
    /// Kind of the workflow. If absent or null, `workflow`.
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<SpurType>, required = false, nullable = true))]
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<SpurType>"))]
    pub spur_type: SpurType,
}

/// A step of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(remote = "Self")]
pub struct Node {
    /// Id of the node, unique within its definition. Links refer to it.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1_000))]
    pub id: String,
    /// Display name. Other nodes receive the output of this node under this name. If empty, or if another node already
    /// uses the name, the id is used.
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<String>, required = false, nullable = true, max_length = 1_000)
    )]
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<String>"))]
    pub title: String,
    /// Id of the loop whose body contains this node. Null if the node is not in a loop.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = false, nullable = true))]
    pub parent_id: Option<String>,
    /// The kind of the node: a `name` of `GET /node/supported_types/`.
    #[cfg_attr(feature = "openapi", schema(example = "InputNode"))]
    pub node_type: String,
    /// Config of the node. Its fields depend on the node type. Unknown fields are kept.
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<HashMap<String, Value>>, required = false, nullable = true)
    )]
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<RawObject>"))]
    pub config: RawObject,
    /// Position of the node in an editor.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = false, nullable = true))]
    pub coordinates: Option<Coordinates>,
    /// Size of the node in an editor.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = false, nullable = true))]
    pub dimensions: Option<Dimensions>,
    /// Body of a loop. Ignored if any node has the loop as its `parent_id`, or if the config has a
    /// `subworkflow`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = false, nullable = true, no_recursion))]
    pub subworkflow: Option<Box<Definition>>,
}

/// A link: passes the output of the source to the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(remote = "Self")]
pub struct Link {
    /// Id of the source node.
    pub source_id: String,
    /// Id of the target node.
    pub target_id: String,
    /// Name of the route, if the source is a router. Ignored otherwise.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = false, nullable = true))]
    pub source_handle: Option<String>,
    /// Connection point at the target in an editor. It does not affect runs.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = false, nullable = true))]
    pub target_handle: Option<String>,
}

/// Position on the canvas of an editor, in units of the editor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(remote = "Self")]
pub struct Coordinates {
    /// Horizontal position, increasing to the right.
    pub x: f64,
    /// Vertical position, increasing downward.
    pub y: f64,
}

/// Size on the canvas of an editor, in units of the editor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(remote = "Self")]
pub struct Dimensions {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

strict_object!(serialize and deserialize Definition, Node, Link, Coordinates, Dimensions);

/// Kind of a workflow. `chatbot`: the `output_json_schema` of the input node must declare the string properties
/// `user_message` and `session_id`, that of the output node `assistant_message`. `workflow` and `agent` have no such
/// requirements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub enum SpurType {
    /// A plain graph of nodes and links.
    #[default]
    Workflow,
    /// Takes a `user_message` and a `session_id`, outputs an `assistant_message`.
    Chatbot,
    /// Calls tools on its own.
    Agent,
}

impl SpurType {
    /// All types.
    pub const ALL: [Self; 3] = [Self::Workflow, Self::Chatbot, Self::Agent];

    /// Returns the type of a stored definition. An unreadable definition counts as a plain workflow, so that resetting
    /// the workflow repairs it.
    #[must_use]
    pub fn from_definition(definition: &str) -> Self {
        #[derive(Deserialize)]
        struct TypeOnly {
            #[serde(default)]
            spur_type: SpurType,
        }
        serde_json::from_str::<TypeOnly>(definition).map(|type_only| type_only.spur_type).unwrap_or_default()
    }
}

/// Deserializes `null` as the default.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    // `Option` doesn't buffer, so the raw text of a `RawObject` is preserved.
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl Definition {
    /// Returns the definition as JSON with every field present, as it is stored and returned.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Node {
    /// Returns true for a node at the top level of its definition.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.parent_id.is_none()
    }
}
