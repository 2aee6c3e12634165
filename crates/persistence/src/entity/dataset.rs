//! The table `datasets`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::relation::Relation;

/// A dataset, without its rows.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "datasets")]
pub struct Model {
    /// The dataset id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The description.
    #[sea_orm(column_type = "Text", nullable)]
    pub description: Option<String>,
    /// The name of the uploaded file.
    #[sea_orm(column_type = "Text")]
    pub filename: String,
    /// The number of rows.
    pub rows: i64,
    /// True if every value is a string, as in CSV.
    pub is_text: bool,
    /// The time of the upload.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
