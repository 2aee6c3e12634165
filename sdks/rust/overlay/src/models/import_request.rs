//! In place of what is generated, which would take the forms of an import for parts of one object.

use crate::models;
use serde::{Deserialize, Serialize};

/// A workflow to be imported in any of its forms, or a list of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ImportRequest {
    List(Vec<models::ImportItem>),
    Item(models::ImportItem),
}
