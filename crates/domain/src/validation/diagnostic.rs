use serde::Serialize;

use super::{Code, Severity};

/// The maximum number of diagnostics in a list.
pub const MAX_DIAGNOSTICS: usize = 1_000;

/// A problem of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of problem.
    pub code: Code,
    /// RFC 6901 pointer into the checked text or definition.
    pub pointer: String,
    /// The id of the affected node.
    pub node_id: Option<String>,
    /// The index of the affected link in the `links` that the pointer leads through.
    pub link_index: Option<usize>,
    /// The problem and its fix.
    pub message: String,
    /// A suggestion, such as the name that was probably meant.
    pub help: Option<String>,
    /// Related locations.
    pub related: Vec<Related>,
}

/// A related location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RelatedPlace))]
pub struct Related {
    /// JSON Pointer (RFC 6901) into the body.
    pub pointer: String,
    /// Description of the location.
    pub message: String,
}

impl Diagnostic {
    /// Returns a diagnostic at a location.
    #[must_use]
    pub fn new(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let (pointer, message) = (pointer.into(), message.into());
        Self { code, pointer, node_id: None, link_index: None, message, help: None, related: Vec::new() }
    }

    /// Sets the affected node.
    #[must_use]
    pub fn with_node(mut self, id: &str) -> Self {
        self.node_id = Some(id.to_owned());
        self
    }

    /// Sets the affected link.
    #[must_use]
    pub fn with_link(mut self, index: usize) -> Self {
        self.link_index = Some(index);
        self
    }

    /// Sets the suggestion.
    #[must_use]
    pub fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// Adds a related location.
    #[must_use]
    pub fn with_related(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.related.push(Related { pointer: pointer.into(), message: message.into() });
        self
    }

    /// Returns the severity of the diagnostic's code.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Returns true if the diagnostic blocks a save.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }

    /// Prepends `prefix` to all pointers, for a definition inside a larger text.
    pub fn prepend_pointer(&mut self, prefix: &str) {
        self.pointer.insert_str(0, prefix);
        self.related.iter_mut().for_each(|related| related.pointer.insert_str(0, prefix));
    }
}

/// Truncates a list to [`MAX_DIAGNOSTICS`], and adds a diagnostic that says so.
pub fn truncate(diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.len() > MAX_DIAGNOSTICS {
        diagnostics.truncate(MAX_DIAGNOSTICS);
        let message = format!(
            "Only the first {MAX_DIAGNOSTICS} diagnostics are listed. Fix some of them, then validate again."
        );
        diagnostics.push(Diagnostic::new(Code::DiagnosticsCut, "", message));
    }
}
