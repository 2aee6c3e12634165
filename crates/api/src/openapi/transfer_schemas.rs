//! Schemas of exported workflows. The domain writes and reads the documents.

use std::str::FromStr;

use sluice_domain::Definition;
use utoipa::ToSchema;
use uuid::Uuid;

/// An exported workflow.
#[expect(dead_code, reason = "it describes what the domain writes and reads")]
#[derive(Debug, ToSchema)]
pub(crate) struct WorkflowDocument {
    /// Always `sluice/workflow`.
    #[schema(pattern = "^sluice/workflow$")]
    format: String,
    /// Version of the format: 1.
    #[schema(minimum = 1)]
    format_version: u32,
    /// Id of the workflow on the server that exported it.
    #[schema(required = false, nullable = true)]
    id: Option<Uuid>,
    /// Name.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: String,
    /// Description. If absent in an update, it is kept.
    #[schema(required = false, nullable = true, max_length = 65_536)]
    description: Option<String>,
    /// Tags. If absent or null in an update, they are kept.
    #[schema(required = false, nullable = true, max_items = 50)]
    tags: Option<Vec<String>>,
    /// The definition.
    definition: Definition,
    /// SHA-256 (hex) of the RFC 8785 canonical JSON of the definition, without fields that do not affect execution.
    /// Imports ignore it.
    #[schema(required = false, nullable = true)]
    definition_hash: Option<String>,
    /// `sha256:` and the SHA-256 (hex) of the RFC 8785 canonical JSON of the document without this field. Optional.
    /// An import rejects a document with a wrong checksum.
    #[schema(required = false, nullable = true)]
    checksum: Option<String>,
    /// Versions, oldest first, numbered without gaps. Imported only if the workflow is new.
    #[schema(required = false, nullable = true, max_items = 1_000)]
    versions: Option<Vec<DocumentVersion>>,
    /// Labels of the versions. Imported only if the workflow is new.
    #[schema(required = false, nullable = true, max_items = 100)]
    labels: Option<Vec<DocumentLabel>>,
}

/// A version in an exported document.
#[expect(dead_code, reason = "it describes what the domain writes and reads")]
#[derive(Debug, ToSchema)]
pub(crate) struct DocumentVersion {
    /// Version number.
    #[schema(minimum = 1, maximum = 900_000_000)]
    version: i32,
    /// Name of the workflow at that time.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: String,
    /// Description of the workflow at that time.
    #[schema(required = false, nullable = true, max_length = 65_536)]
    description: Option<String>,
    /// The definition.
    definition: Definition,
    /// Hash of the definition. Imports ignore it.
    #[schema(required = false, nullable = true)]
    definition_hash: Option<String>,
    /// Note of the change that created the version.
    #[schema(required = false, nullable = true, max_length = 1_000)]
    note: Option<String>,
    /// Author according to the document. Imports do not verify it. Null if unknown.
    #[schema(required = false, nullable = true, max_length = 255)]
    created_by: Option<String>,
    /// Time at which the version was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
}

/// A label in an exported document.
#[expect(dead_code, reason = "it describes what the domain writes and reads")]
#[derive(Debug, ToSchema)]
pub(crate) struct DocumentLabel {
    /// Label of 1 to 64 characters: a lowercase letter, then lowercase letters, digits, `_` or `-`. `draft` and
    /// `latest` are reserved.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z][a-z0-9_-]*$")]
    label: String,
    /// Version number of the label.
    #[schema(minimum = 1)]
    version: i32,
    /// If true, a save with `label` can't move the label.
    #[schema(required = false, default = false)]
    protected: bool,
}

/// Handling of existing workflows. `create`: imports everything as new workflows. `update`: updates existing workflows.
/// `dry_run`: returns the response of `update` and changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case", as = ImportMode)]
pub(crate) enum Mode {
    /// Everything is new.
    Create,
    /// Existing workflows are updated.
    Update,
    /// Nothing is written.
    DryRun,
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "create" => Ok(Self::Create),
            "update" => Ok(Self::Update),
            "dry_run" => Ok(Self::DryRun),
            _ => Err(()),
        }
    }
}
