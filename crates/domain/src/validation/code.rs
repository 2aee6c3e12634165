use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// The kinds of problems. A code keeps its meaning for ever and is never used again.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as clients see it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// A node has no id.
    NodeIdEmpty = "node_id_empty",
    /// Two nodes have the same id.
    NodeIdDuplicate = "node_id_duplicate",
    /// A level has nodes but no input node.
    InputNodeMissing = "input_node_missing",
    /// A level has more than one input node.
    InputNodeDuplicate = "input_node_duplicate",
    /// A level has more than one output node.
    OutputNodeDuplicate = "output_node_duplicate",
    /// A link begins at a node that doesn't exist.
    LinkSourceUnknown = "link_source_unknown",
    /// A link ends at a node that doesn't exist.
    LinkTargetUnknown = "link_target_unknown",
    /// Links form a cycle.
    Cycle = "cycle",
    /// A node names a parent that doesn't exist.
    ParentUnknown = "parent_unknown",
    /// A node is its own parent, directly or through others.
    ParentCycle = "parent_cycle",
    /// Loops stand too deep in loops.
    NestingTooDeep = "nesting_too_deep",
    /// No kind of node has this name.
    NodeTypeUnknown = "node_type_unknown",
    /// A field of a config doesn't fit the kind of its node.
    ConfigInvalid = "config_invalid",
    /// The input node of a chatbot lacks a field that every chatbot has.
    ChatbotInputFields = "chatbot_input_fields",
    /// The output node of a chatbot lacks a field that every chatbot has.
    ChatbotOutputFields = "chatbot_output_fields",
    /// A link leaves a router without naming a route.
    RouterLinkWithoutHandle = "router_link_without_handle",
    /// A link leaves a router by a route that it doesn't have.
    RouterLinkUnknownRoute = "router_link_unknown_route",
    /// A whole number of a config is beyond what every reader of JSON tells apart (RFC 7493: 2^53 - 1).
    NumberUnsafe = "number_unsafe",
    /// There are more nodes than the server takes.
    TooManyNodes = "too_many_nodes",
    /// There are more links than the server takes.
    TooManyLinks = "too_many_links",
}
