use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{checksum, pretty};
use crate::Definition;
use crate::strict_object::strict_object;

/// The form of an imported workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImportForm {
    /// An exported document.
    #[default]
    Document,
    /// The body of a create request.
    Request,
    /// A bare definition.
    Definition,
}

/// An exported workflow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkflowDocument {
    /// The form of the text that the document was read from.
    #[serde(skip)]
    pub form: ImportForm,
    /// Always `sluice/workflow`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^sluice/workflow$"))]
    pub format: String,
    /// Version of the format: 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub format_version: u32,
    /// Id of the workflow on the server that exported it.
    pub id: Option<Uuid>,
    /// Name.
    // Empty if a request or a bare definition has none.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")
    )]
    pub name: String,
    /// Description. If absent in an update, it is kept.
    #[serde(default, deserialize_with = "deserialize_present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 65_536))]
    pub description: Option<Option<String>>,
    /// Tags. If absent or null in an update, they are kept.
    #[cfg_attr(feature = "openapi", schema(max_items = 50))]
    pub tags: Option<Vec<String>>,
    /// The definition.
    pub definition: Definition,
    /// SHA-256 (hex) of the RFC 8785 canonical JSON of the definition, without fields that do not affect execution.
    /// Imports ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition_hash: Option<String>,
    /// `sha256:` and the SHA-256 (hex) of the RFC 8785 canonical JSON of the document without this field. Optional.
    /// An import rejects a document with a wrong checksum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Versions, oldest first, numbered without gaps. Imported only if the workflow is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 1_000))]
    pub versions: Option<Vec<DocumentVersion>>,
    /// Labels of the versions. Imported only if the workflow is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 100))]
    pub labels: Option<Vec<DocumentLabel>>,
}

/// A version in an exported document.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(remote = "Self")]
pub struct DocumentVersion {
    /// Version number.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 900_000_000))]
    pub version: i32,
    /// Name of the workflow when the version was created.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")
    )]
    pub name: String,
    /// Description of the workflow when the version was created.
    #[cfg_attr(feature = "openapi", schema(max_length = 65_536))]
    pub description: Option<String>,
    /// The definition.
    pub definition: Definition,
    /// Hash of the definition. Imports ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition_hash: Option<String>,
    /// Note of the change that created the version.
    #[cfg_attr(feature = "openapi", schema(max_length = 1_000))]
    pub note: Option<String>,
    /// Author according to the document. Imports do not verify it. Null if unknown.
    #[cfg_attr(feature = "openapi", schema(max_length = 255))]
    pub created_by: Option<String>,
    /// Time at which the version was created.
    #[serde(serialize_with = "serialize_time", deserialize_with = "deserialize_time")]
    pub created_at: DateTime<Utc>,
}

/// A label in an exported document.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(remote = "Self")]
pub struct DocumentLabel {
    /// Label of 1 to 64 characters: a lowercase letter, then lowercase letters, digits, `_` or `-`. `draft` and
    /// `latest` are reserved.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64, pattern = "^[a-z][a-z0-9_-]*$"))]
    pub label: String,
    /// Number of the version that the label points to.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: i32,
    /// If true, updateWorkflow, resetWorkflow and restoreVersion can't move the label with their parameter `label`.
    /// setLabel, rollbackLabel and deleteLabel are not restricted.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = false, default = false))]
    pub protected: bool,
}

strict_object!(serialize and deserialize DocumentVersion, DocumentLabel);

/// Deserializes a member that is present, including null.
fn deserialize_present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Serializes a time with six fractional digits, as the API does.
fn serialize_time<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Deserializes a time with the precision of the databases, microseconds. A leap second becomes the next second.
fn deserialize_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let time = DateTime::<Utc>::deserialize(deserializer)?;
    Ok(DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time))
}

impl WorkflowDocument {
    /// Sets the checksum.
    #[must_use]
    pub fn with_checksum(self) -> Self {
        let document = Self { checksum: None, ..self };
        Self { checksum: checksum(&document.to_json()).ok(), ..document }
    }

    /// The document as the API returns it.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The document as a file for git: formatted for people, and without hash and checksum. Manual edits would invalidate
    /// them, and merges would conflict in them.
    #[must_use]
    pub fn into_file(mut self) -> String {
        (self.checksum, self.definition_hash) = (None, None);
        self.versions.iter_mut().flatten().for_each(|version| version.definition_hash = None);
        pretty(&self.to_json())
    }
}
