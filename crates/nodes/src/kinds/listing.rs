//! Entries of kinds in the catalog.

/// The entry of a kind in the catalog. Colors and acronyms are those of PySpur's editor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    /// The category.
    pub(crate) category: Category,
    /// The display name.
    pub(crate) title: &'static str,
    /// A short form of the name.
    pub(crate) acronym: &'static str,
    /// The color, as `#RRGGBB`.
    pub(crate) color: &'static str,
    /// The external service that the kind calls.
    pub(crate) service: Option<Service>,
    /// True if the kind determines the fields of its output.
    pub(crate) has_fixed_output: bool,
}

impl Listing {
    /// Returns a listing without an external service.
    pub(crate) const fn new(
        category: Category,
        title: &'static str,
        acronym: &'static str,
        color: &'static str,
    ) -> Self {
        Self { category, title, acronym, color, service: None, has_fixed_output: false }
    }
}

/// A category of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    /// Inputs and outputs of workflows.
    InputOutput,
    /// Calls of language models.
    Ai,
    /// Code of the workflow's author.
    CodeExecution,
    /// Control flow.
    Logic,
    /// Kinds that may change.
    Experimental,
    /// Calls of external services.
    Integrations,
}

impl Category {
    /// All categories, in the order of the catalog.
    pub(crate) const ALL: [Self; 6] = [
        Self::InputOutput,
        Self::Ai,
        Self::CodeExecution,
        Self::Logic,
        Self::Experimental,
        Self::Integrations,
    ];

    /// Returns the name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InputOutput => "Input/Output",
            Self::Ai => "AI",
            Self::CodeExecution => "Code Execution",
            Self::Logic => "Logic",
            Self::Experimental => "Experimental",
            Self::Integrations => "Integrations",
        }
    }
}

/// An external service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// The name.
    pub(crate) name: &'static str,
    /// Path of the logo in an editor.
    pub(crate) logo: &'static str,
}
