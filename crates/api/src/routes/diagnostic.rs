//! A diagnostic in responses.

use serde::Serialize;
use sluice_domain::validation;
use utoipa::ToSchema;

/// An error or warning about a definition.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Diagnostic)]
pub(crate) struct Diagnostic {
    /// Code of the diagnostic. Codes are stable. Each has a page in docs/diagnostics.
    #[schema(example = "node_type_unknown")]
    code: &'static str,
    /// Severity.
    severity: DiagnosticSeverity,
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
    related: Vec<RelatedPlace>,
}

/// Severity of a diagnostic. `error`: the definition can't be saved. `warning`: probably a mistake. `info`: a hint.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DiagnosticSeverity {
    /// It can't be saved.
    Error,
    /// Probably a mistake of the author.
    Warning,
    /// It may be left out.
    Info,
}

/// A related location.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RelatedPlace {
    /// JSON Pointer (RFC 6901) into the body.
    pointer: String,
    /// Description of the location.
    message: String,
}

impl From<validation::Severity> for DiagnosticSeverity {
    fn from(severity: validation::Severity) -> Self {
        match severity {
            validation::Severity::Error => Self::Error,
            validation::Severity::Warning => Self::Warning,
            validation::Severity::Info => Self::Info,
        }
    }
}

impl From<validation::Diagnostic> for Diagnostic {
    fn from(diagnostic: validation::Diagnostic) -> Self {
        let severity = diagnostic.severity().into();
        let validation::Diagnostic { code, pointer, node_id, link_index, message, help, related } =
            diagnostic;
        let place = |validation::Related { pointer, message }| RelatedPlace { pointer, message };
        let related = related.into_iter().map(place).collect();
        Self { code: code.as_str(), severity, pointer, node_id, link_index, message, help, related }
    }
}
