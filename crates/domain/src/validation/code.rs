use serde::{Deserialize, Serialize};

/// Severity of a diagnostic. `error`: the definition can't be saved. `warning`: probably a mistake. `info`: a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DiagnosticSeverity))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The definition can't be saved.
    Error,
    /// The definition can be saved, but a part of it probably doesn't do what its author wants.
    Warning,
    /// The definition can be saved, and a part of it may be removed.
    Info,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal $severity:ident,)*) => {
        /// The code of a diagnostic. Codes keep their meaning across releases and are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the code in the API.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the meaning of the code, as a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii(),)* }
            }

            /// Returns the severity of diagnostics with this code.
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
    /// The workflow or the body of a loop has nodes but no input node.
    InputNodeMissing = "input_node_missing" Error,
    /// The workflow or the body of a loop has more than one input node.
    InputNodeDuplicate = "input_node_duplicate" Error,
    /// The workflow or the body of a loop has more than one output node.
    OutputNodeDuplicate = "output_node_duplicate" Error,
    /// A link starts at a node that doesn't exist.
    LinkSourceUnknown = "link_source_unknown" Error,
    /// A link ends at a node that doesn't exist.
    LinkTargetUnknown = "link_target_unknown" Error,
    /// Links form a cycle.
    Cycle = "cycle" Error,
    /// A node names a parent that doesn't exist.
    ParentUnknown = "parent_unknown" Error,
    /// A node is its own parent, directly or through others.
    ParentCycle = "parent_cycle" Error,
    /// Loops are nested too deep.
    NestingTooDeep = "nesting_too_deep" Error,
    /// The node type is unknown.
    NodeTypeUnknown = "node_type_unknown" Error,
    /// A field of a config is invalid for the type of its node.
    ConfigInvalid = "config_invalid" Error,
    /// The input node of a chatbot lacks a field that every chatbot has.
    ChatbotInputFields = "chatbot_input_fields" Error,
    /// The output node of a chatbot lacks a field that every chatbot has.
    ChatbotOutputFields = "chatbot_output_fields" Error,
    /// A link leaves a router without naming a route.
    RouterLinkWithoutHandle = "router_link_without_handle" Error,
    /// A link leaves a router by an unknown route.
    RouterLinkUnknownRoute = "router_link_unknown_route" Error,
    /// An integer in a config is beyond the range that every JSON parser represents exactly (RFC 7493: 2^53 - 1).
    NumberUnsafe = "number_unsafe" Error,
    /// The definition has too many nodes.
    TooManyNodes = "too_many_nodes" Error,
    /// The definition has too many links.
    TooManyLinks = "too_many_links" Error,
    /// The text is not valid JSON.
    JsonSyntax = "json_syntax" Error,
    /// Objects and arrays are nested too deep.
    JsonTooDeep = "json_too_deep" Error,
    /// The JSON contains duplicate keys, U+0000 or other content that not every parser and database preserves.
    JsonRejected = "json_rejected" Error,
    /// A part of the JSON doesn't have the shape of a definition.
    ShapeInvalid = "shape_invalid" Error,
    /// An id, title, name or description is too long.
    TextTooLong = "text_too_long" Error,
    /// An exported document was changed after its checksum was computed.
    ChecksumMismatch = "checksum_mismatch" Error,
    /// There are more diagnostics than the list contains.
    DiagnosticsCut = "diagnostics_cut" Info,
    /// A node is not reachable from the input node.
    NodeUnreachable = "node_unreachable" Warning,
    /// The output of a node is not used, although there is an output node.
    OutputUnused = "output_unused" Warning,
    /// A config refers to a node that the same workflow or loop body doesn't have.
    ReferenceNodeUnknown = "reference_node_unknown" Warning,
    /// A config refers to a node whose output doesn't reach this node.
    ReferenceNotUpstream = "reference_not_upstream" Warning,
    /// A config refers to a field that the node's output doesn't have.
    ReferenceFieldUnknown = "reference_field_unknown" Warning,
    /// Two nodes of the same workflow or loop body have the same title.
    TitleCollision = "title_collision" Warning,
    /// Templates can't refer to a node by this title, and Python code needs brackets.
    TitleUnnameable = "title_unnameable" Warning,
    /// Declining a gate leaves the workflow or the body of a loop without an output.
    GateDeclineNoOutput = "gate_decline_no_output" Warning,
    /// The conditions of a route are never true.
    RouteNeverMatches = "route_never_matches" Warning,
    /// A route has the same conditions as an earlier one.
    RouteDuplicate = "route_duplicate" Warning,
    /// No node refers to a field of the input.
    InputUnused = "input_unused" Info,
    /// A config has an unknown key.
    ConfigKeyUnknown = "config_key_unknown" Warning,
    /// A JSON Schema in a config is invalid.
    SchemaInvalid = "schema_invalid" Warning,
}
