use serde::{Deserialize, Deserializer, Serialize};

use super::RawObject;
use crate::strict_object::strict_object;

/// A workflow as a graph: nodes, and links along which outputs flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Definition {
    /// The nodes. Lists and outputs use the same order.
    pub nodes: Vec<Node>,
    /// The links between nodes.
    pub links: Vec<Link>,
    /// Test inputs of an editor. They don't affect execution.
    #[serde(default, deserialize_with = "null_as_default")]
    pub test_inputs: Vec<RawObject>,
    /// The type of the workflow.
    #[serde(default, deserialize_with = "null_as_default")]
    pub spur_type: SpurType,
}

/// A step of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Node {
    /// The id that links refer to; unique within the definition.
    pub id: String,
    /// The display name, and the key under which other nodes receive the output. An empty title becomes the id.
    #[serde(default, deserialize_with = "null_as_default")]
    pub title: String,
    /// The id of the node whose body contains this node.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// The node type.
    pub node_type: String,
    /// The configuration. Its fields depend on the node type; unknown fields are preserved.
    #[serde(default, deserialize_with = "null_as_default")]
    pub config: RawObject,
    /// The position of the node in an editor.
    #[serde(default)]
    pub coordinates: Option<Coordinates>,
    /// The size of the node in an editor.
    #[serde(default)]
    pub dimensions: Option<Dimensions>,
    /// The definition that the node runs as its body.
    #[serde(default)]
    pub subworkflow: Option<Box<Definition>>,
}

/// A link along which the output of the source flows to the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Link {
    /// The id of the source node.
    pub source_id: String,
    /// The id of the target node.
    pub target_id: String,
    /// The route by which the link leaves a router.
    #[serde(default)]
    pub source_handle: Option<String>,
    /// The handle of the target in an editor.
    #[serde(default)]
    pub target_handle: Option<String>,
}

/// A position on the canvas of an editor, in its own units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Coordinates {
    /// The distance to the right.
    pub x: f64,
    /// The distance down.
    pub y: f64,
}

/// A size on the canvas of an editor, in its own units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Dimensions {
    /// The width.
    pub width: f64,
    /// The height.
    pub height: f64,
}

strict_object!(serialize and deserialize Definition, Node, Link, Coordinates, Dimensions);

/// The type of a workflow: `workflow` is a plain graph; `chatbot` takes a `user_message` and a `session_id` and outputs an
/// `assistant_message`; `agent` calls tools on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

    /// The type of a stored definition. An unreadable definition counts as a plain workflow, so that a reset repairs it.
    #[must_use]
    pub fn from_definition(definition: &str) -> Self {
        #[derive(Deserialize)]
        struct Typed {
            #[serde(default)]
            spur_type: SpurType,
        }
        serde_json::from_str::<Typed>(definition).map(|typed| typed.spur_type).unwrap_or_default()
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
    /// The definition as JSON with every field present, as it is stored and returned.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Node {
    /// True for a node at the top level of its definition.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.parent_id.is_none()
    }
}
