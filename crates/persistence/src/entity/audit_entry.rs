//! The table `audit_log`.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// An entry of the audit log. Triggers of the database reject updates and deletes.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    /// The id of the entry. Ids grow with time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The time of the change.
    pub at: DateTimeUtc,
    /// The name of the API key, or `None` on a server without API keys.
    #[sea_orm(column_type = "Text", nullable)]
    pub actor: Option<String>,
    /// The operation id of the OpenAPI document, or the command.
    #[sea_orm(column_type = "Text")]
    pub operation: String,
    /// The request id.
    #[sea_orm(column_type = "Text")]
    pub request_id: String,
    /// The type of the subject.
    #[sea_orm(column_type = "Text")]
    pub subject: String,
    /// The id of the subject.
    #[sea_orm(column_type = "Text")]
    pub subject_id: String,
    /// The state before the change.
    #[sea_orm(column_type = "Text", nullable)]
    pub before: Option<String>,
    /// The state after the change.
    #[sea_orm(column_type = "Text", nullable)]
    pub after: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
