use super::{Code, Severity};

/// One thing that is wrong, or looks wrong, with a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem.
    pub code: Code,
    /// Where, as an RFC 6901 pointer into what was checked.
    pub pointer: String,
    /// The id of the node concerned.
    pub node_id: Option<String>,
    /// The index of the link concerned, in the `links` that the pointer leads through.
    pub link_index: Option<usize>,
    /// What is wrong and what to change.
    pub message: String,
    /// What may have been meant.
    pub help: Option<String>,
    /// Other places that have to do with it.
    pub related: Vec<Related>,
}

/// Another place that has to do with a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Where, as an RFC 6901 pointer into what was checked.
    pub pointer: String,
    /// What is there.
    pub message: String,
}

impl Diagnostic {
    /// A diagnostic of a place.
    #[must_use]
    pub fn new(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let (pointer, message) = (pointer.into(), message.into());
        Self { code, pointer, node_id: None, link_index: None, message, help: None, related: Vec::new() }
    }

    /// The same, of the node with this id.
    #[must_use]
    pub fn of_node(mut self, id: &str) -> Self {
        self.node_id = Some(id.to_owned());
        self
    }

    /// The same, of the link with this index.
    #[must_use]
    pub fn of_link(mut self, index: usize) -> Self {
        self.link_index = Some(index);
        self
    }

    /// The same with what may have been meant.
    #[must_use]
    pub fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// The same with another place.
    #[must_use]
    pub fn related_to(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.related.push(Related { pointer: pointer.into(), message: message.into() });
        self
    }

    /// How much it weighs.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Whether what it is of can't be saved.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }

    /// Moves it to where what it is of stands in a larger text.
    pub fn below(&mut self, prefix: &str) {
        self.pointer.insert_str(0, prefix);
        self.related.iter_mut().for_each(|other| other.pointer.insert_str(0, prefix));
    }
}
