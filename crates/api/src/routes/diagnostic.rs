//! A diagnostic in responses.

use serde::Serialize;
use sluice_domain::validation::{self, Related, Severity};
use utoipa::ToSchema;

/// An error or warning about a definition.
// The type of the domain has no field for the severity, since the code determines it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Diagnostic {
    /// Code of the diagnostic. Codes are stable. The Sluice repository documents each code in
    /// `docs/diagnostics/`.
    #[schema(example = "node_type_unknown")]
    code: &'static str,
    /// Severity.
    severity: Severity,
    /// JSON Pointer (RFC 6901) into the body.
    #[schema(example = "/definition/nodes/0/node_type")]
    pointer: String,
    /// Id of the affected node.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    node_id: Option<String>,
    /// Index of the affected link in its `links` array.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    link_index: Option<usize>,
    /// Message: the problem and what to change.
    message: String,
    /// Suggestion.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    help: Option<String>,
    /// Related locations.
    related: Vec<Related>,
}

impl From<validation::Diagnostic> for Diagnostic {
    fn from(diagnostic: validation::Diagnostic) -> Self {
        let severity = diagnostic.severity();
        let validation::Diagnostic { code, pointer, node_id, link_index, message, help, related } =
            diagnostic;
        Self { code: code.as_str(), severity, pointer, node_id, link_index, message, help, related }
    }
}
