//! Entity tags of workflows and versions.

use sha2::{Digest as _, Sha256};

/// A tag of what `parts` say, each told from the next by its length.
pub(super) fn etag(version: i32, parts: [&str; 5]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{version}-{hex}")
}
