//! Versions of a definition: the hash that identifies a version, differences and patches.

mod definition_diff;
mod diff_text;
mod field_changes;
mod hash;
mod layout;
mod matching;
mod patch;

pub use definition_diff::{DefinitionDiff, LinksDiff, NodeChange, NodeReference, NodesDiff, diff};
pub use field_changes::FieldChange;
pub use hash::definition_hash;
pub use json_patch::Patch;
pub use layout::with_layout_of;
pub use patch::patch;
