//! The table `labels`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use sluice_engine::{AuditEntry, Subject};

use super::relation::Relation;

/// A label: a name for a version of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "labels")]
pub struct Model {
    /// The workflow.
    #[sea_orm(primary_key, auto_increment = false)]
    pub workflow_id: Uuid,
    /// The name of the label.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub name: String,
    /// The number of the version.
    pub version: i32,
    /// True if a save of the workflow must not move the label.
    pub is_protected: bool,
    /// The time when the label was first set.
    pub created_at: DateTimeUtc,
    /// The time when the label was last moved or protected.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Returns the audit entry of a change of this label.
    pub(crate) fn audit_entry(&self, before: Option<&Self>, after: Option<&Self>) -> AuditEntry {
        let id = format!("{}/{}", self.workflow_id, self.name);
        AuditEntry::new(Subject::Label, id)
            .with_states(before.map(Self::audit_text), after.map(Self::audit_text))
    }

    /// Formats version and protection for the audit log: `2`, or `2 protected`.
    fn audit_text(&self) -> String {
        let protected = if self.is_protected { " protected" } else { "" };
        format!("{}{protected}", self.version)
    }
}
