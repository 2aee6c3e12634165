use serde::{Deserialize, Deserializer, Serialize};

use super::RawObject;
use crate::strict_object::strict_object;

/// A workflow as clients describe it: nodes, and links along which outputs flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Definition {
    /// The nodes, in the order that lists and outputs follow.
    pub nodes: Vec<Node>,
    /// The links between nodes.
    pub links: Vec<Link>,
    /// Rows of inputs that an editor keeps for trying the workflow; they don't execute.
    #[serde(default, deserialize_with = "null_as_default")]
    pub test_inputs: Vec<RawObject>,
    /// What kind of workflow this is.
    #[serde(default, deserialize_with = "null_as_default")]
    pub spur_type: SpurType,
}

/// One step of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Node {
    /// The name that links use; unique within its definition.
    pub id: String,
    /// The name that people see, and under which other nodes receive the output. Empty becomes the id.
    #[serde(default, deserialize_with = "null_as_default")]
    pub title: String,
    /// The node, of this definition, whose body this node belongs to.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// The kind of the node, as named by the catalog.
    pub node_type: String,
    /// What the node shall do; its fields depend on the kind, unknown ones are kept.
    #[serde(default, deserialize_with = "null_as_default")]
    pub config: RawObject,
    /// Where an editor draws the node.
    #[serde(default)]
    pub coordinates: Option<Coordinates>,
    /// How large an editor draws the node.
    #[serde(default)]
    pub dimensions: Option<Dimensions>,
    /// A definition that this node runs as its body.
    #[serde(default)]
    pub subworkflow: Option<Box<Definition>>,
}

/// A link: the output of the source flows to the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Link {
    /// The id of the node that gives.
    pub source_id: String,
    /// The id of the node that receives.
    pub target_id: String,
    /// The route by which the link leaves a router.
    #[serde(default)]
    pub source_handle: Option<String>,
    /// The place at which an editor lets the link arrive.
    #[serde(default)]
    pub target_handle: Option<String>,
}

/// A place on an editor's canvas, in its own units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Coordinates {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

/// A size on an editor's canvas, in its own units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Dimensions {
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

strict_object!(serialize and deserialize Definition, Node, Link, Coordinates, Dimensions);

/// The kind of a workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpurType {
    /// Nodes and links, nothing more.
    #[default]
    Workflow,
    /// Takes a `user_message` and a `session_id`, gives an `assistant_message`.
    Chatbot,
    /// Calls tools on its own.
    Agent,
}

impl SpurType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Workflow, Self::Chatbot, Self::Agent];

    /// The type of a stored definition; of one that can't be read, the plain one, so that a reset repairs it.
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

/// `null` stands for an absent field wherever a default exists.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    // An `Option` would lose the raw text of a `RawObject` on its way only if it buffered; it does not.
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl Definition {
    /// The definition as JSON text, every field present: what is stored, and what clients get back.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The node with this id, at the top of this definition or among the children of its nodes.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }
}

impl Node {
    /// Whether this node stands at the top of its definition.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.parent_id.is_none()
    }
}
