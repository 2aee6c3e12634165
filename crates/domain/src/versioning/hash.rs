use sha2::{Digest, Sha256};

use super::layout::executable_json;
use crate::Definition;

/// Returns the SHA-256, in lowercase hex, of the RFC 8785 canonical JSON of `definition` without its layout. The layout
/// is the coordinates, dimensions and test inputs, including those of subworkflows.
///
/// Two definitions with the same hash are the same version.
#[must_use]
pub fn definition_hash(definition: &Definition) -> String {
    let canonical = serde_json_canonicalizer::to_vec(&executable_json(definition))
        .expect("a JSON value has a canonical form");
    format!("{:x}", Sha256::digest(&canonical))
}
