use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{FORMAT, FORMAT_VERSION, checksum, pretty};

/// An exported workflow. Members are serialized in this order.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    format: &'static str,
    format_version: u32,
    id: Uuid,
    name: String,
    description: Option<String>,
    tags: Vec<String>,
    definition: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    definition_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<Vec<DocumentVersion>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<DocumentLabel>>,
}

/// A version of a workflow in its document.
#[derive(Clone, Debug, Serialize)]
pub struct DocumentVersion {
    /// The version number.
    pub version: i32,
    /// The name of the workflow.
    pub name: String,
    /// The description of the workflow.
    pub description: Option<String>,
    /// The definition, as it is stored.
    pub definition: Box<RawValue>,
    /// The hash of the definition without its layout.
    pub definition_hash: String,
    /// The note of the change.
    pub note: Option<String>,
    /// The author of the change.
    pub created_by: Option<String>,
    /// The time of the change (RFC 3339).
    pub created_at: String,
}

/// A label of a workflow in its document.
#[derive(Clone, Debug, Serialize)]
pub struct DocumentLabel {
    /// The label.
    pub label: String,
    /// The number of the version that it refers to.
    pub version: i32,
    /// True if a save never moves it.
    pub protected: bool,
}

impl Document {
    /// A document without versions.
    #[must_use]
    pub fn new(
        id: Uuid,
        (name, description): (String, Option<String>),
        tags: Vec<String>,
        definition: Box<RawValue>,
        definition_hash: String,
    ) -> Self {
        Self {
            format: FORMAT,
            format_version: FORMAT_VERSION,
            id,
            name,
            description,
            tags,
            definition,
            definition_hash: Some(definition_hash),
            checksum: None,
            versions: None,
            labels: None,
        }
    }

    /// Adds the history.
    #[must_use]
    pub fn with_versions(self, versions: Vec<DocumentVersion>, labels: Vec<DocumentLabel>) -> Self {
        Self { versions: Some(versions), labels: Some(labels), ..self }
    }

    /// Adds the checksum.
    #[must_use]
    pub fn with_checksum(self) -> Self {
        let open = Self { checksum: None, ..self };
        let checksum = checksum(&open.to_json()).ok();
        Self { checksum, ..open }
    }

    /// The checksum, if it was added.
    #[must_use]
    pub fn checksum(&self) -> Option<&str> {
        self.checksum.as_deref()
    }

    /// The document as the API returns it.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The document as a file for git: formatted for people, and without hash and checksum. Manual edits would invalidate
    /// them, and merges would conflict in them.
    #[must_use]
    pub fn to_file(&self) -> String {
        pretty(&Self { definition_hash: None, checksum: None, ..self.clone() }.to_json())
    }
}
