use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{FORMAT, FORMAT_VERSION, checksum, pretty};

/// A workflow as it leaves a server. Its members come in this order.
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
    /// Its number.
    pub version: i32,
    /// The name that the workflow had.
    pub name: String,
    /// The description that the workflow had.
    pub description: Option<String>,
    /// The definition, as it is stored.
    pub definition: Box<RawValue>,
    /// The hash of what of the definition executes.
    pub definition_hash: String,
    /// What the change was for that made it.
    pub note: Option<String>,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was made, as RFC 3339 has it.
    pub created_at: String,
}

/// A label of a workflow in its document.
#[derive(Clone, Debug, Serialize)]
pub struct DocumentLabel {
    /// The label.
    pub label: String,
    /// The number of the version that it stands for.
    pub version: i32,
    /// Whether saving never moves it.
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

    /// The same with its history.
    #[must_use]
    pub fn with_versions(self, versions: Vec<DocumentVersion>, labels: Vec<DocumentLabel>) -> Self {
        Self { versions: Some(versions), labels: Some(labels), ..self }
    }

    /// The same with its checksum.
    #[must_use]
    pub fn sealed(self) -> Self {
        let open = Self { checksum: None, ..self };
        let checksum = checksum(&open.to_json()).ok();
        Self { checksum, ..open }
    }

    /// Its checksum, once it is sealed.
    #[must_use]
    pub fn checksum(&self) -> Option<&str> {
        self.checksum.as_deref()
    }

    /// The document as a server answers it.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The document as a file in git: laid out for people, and without the hash and the checksum of the whole. Git has
    /// its own, and here each change by hand would break them, each merge meet a conflict in them.
    #[must_use]
    pub fn to_file(&self) -> String {
        pretty(&Self { definition_hash: None, checksum: None, ..self.clone() }.to_json())
    }
}
