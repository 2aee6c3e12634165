use serde::{Deserialize, Serialize};

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The definition can't be saved.
    Error,
    /// It can be saved, and something in it hardly does what its author wants.
    Warning,
    /// It can be saved, and something in it may be left out.
    Info,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal $severity:ident,)*) => {
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

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii(),)* }
            }

            /// What a diagnostic with this code weighs.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// A node has no id.
    NodeIdEmpty = "node_id_empty" Error,
    /// Two nodes have the same id.
    NodeIdDuplicate = "node_id_duplicate" Error,
    /// A level has nodes but no input node.
    InputNodeMissing = "input_node_missing" Error,
    /// A level has more than one input node.
    InputNodeDuplicate = "input_node_duplicate" Error,
    /// A level has more than one output node.
    OutputNodeDuplicate = "output_node_duplicate" Error,
    /// A link begins at a node that doesn't exist.
    LinkSourceUnknown = "link_source_unknown" Error,
    /// A link ends at a node that doesn't exist.
    LinkTargetUnknown = "link_target_unknown" Error,
    /// Links form a cycle.
    Cycle = "cycle" Error,
    /// A node names a parent that doesn't exist.
    ParentUnknown = "parent_unknown" Error,
    /// A node is its own parent, directly or through others.
    ParentCycle = "parent_cycle" Error,
    /// Loops stand too deep in loops.
    NestingTooDeep = "nesting_too_deep" Error,
    /// No kind of node has this name.
    NodeTypeUnknown = "node_type_unknown" Error,
    /// A field of a config doesn't fit the kind of its node.
    ConfigInvalid = "config_invalid" Error,
    /// The input node of a chatbot lacks a field that every chatbot has.
    ChatbotInputFields = "chatbot_input_fields" Error,
    /// The output node of a chatbot lacks a field that every chatbot has.
    ChatbotOutputFields = "chatbot_output_fields" Error,
    /// A link leaves a router without naming a route.
    RouterLinkWithoutHandle = "router_link_without_handle" Error,
    /// A link leaves a router by a route that it doesn't have.
    RouterLinkUnknownRoute = "router_link_unknown_route" Error,
    /// A whole number of a config is beyond what every reader of JSON tells apart (RFC 7493: 2^53 - 1).
    NumberUnsafe = "number_unsafe" Error,
    /// There are more nodes than the server takes.
    TooManyNodes = "too_many_nodes" Error,
    /// There are more links than the server takes.
    TooManyLinks = "too_many_links" Error,
    /// The text is no JSON.
    JsonSyntax = "json_syntax" Error,
    /// Objects and lists are nested deeper than the server takes.
    JsonTooDeep = "json_too_deep" Error,
    /// The text is JSON of a sort that not every reader and store keeps as it is.
    JsonRefused = "json_refused" Error,
    /// A part of the JSON has another form than definitions have.
    ShapeInvalid = "shape_invalid" Error,
    /// An id, a title, a name or a description is longer than the server takes.
    TextTooLong = "text_too_long" Error,
    /// An exported document is not what it was when its checksum was made.
    ChecksumMismatch = "checksum_mismatch" Error,
    /// There are more diagnostics than are listed.
    DiagnosticsCut = "diagnostics_cut" Info,
    /// No path leads from the input node of its level to a node.
    NodeUnreachable = "node_unreachable" Warning,
    /// Nobody takes what a node gives, though its level has an output node.
    OutputUnused = "output_unused" Warning,
    /// A config refers to a node that its level doesn't have.
    ReferenceNodeUnknown = "reference_node_unknown" Warning,
    /// A config refers to a node whose output doesn't arrive.
    ReferenceNotUpstream = "reference_not_upstream" Warning,
    /// A config refers to a field that the node doesn't give.
    ReferenceFieldUnknown = "reference_field_unknown" Warning,
    /// Two nodes of a level have the same title.
    TitleCollision = "title_collision" Warning,
    /// A title can't be named in templates and code.
    TitleUnnameable = "title_unnameable" Warning,
    /// When a gate is declined, nothing is left that the level could give.
    GateDeclineNoOutput = "gate_decline_no_output" Warning,
    /// The conditions of a route never hold.
    RouteNeverMatches = "route_never_matches" Warning,
    /// A route has the conditions of an earlier one.
    RouteDuplicate = "route_duplicate" Warning,
    /// Nothing refers to a field of the input.
    InputUnused = "input_unused" Info,
    /// A config has a key that nobody reads.
    ConfigKeyUnknown = "config_key_unknown" Warning,
    /// A JSON Schema of a config is none.
    SchemaInvalid = "schema_invalid" Warning,
}
