//! Entity tags of workflows and versions.

use sha2::{Digest as _, Sha256};

/// Hashes `parts` into a tag: the version number, a dash, and 32 hex digits. The length of each part is hashed too, so
/// that moving text from one part to the next changes the tag.
pub(super) fn etag(version: i32, parts: [&str; 5]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{version}-{hex}")
}
