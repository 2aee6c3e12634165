//! Workflows on the move: the document in which one goes from a server to another, or into git.

mod document;
mod incoming;
mod text;

pub use document::{Document, DocumentLabel, DocumentVersion};
pub use incoming::{Form, Incoming, IncomingLabel, IncomingVersion, form, read};
pub use text::{compact, depth, pretty};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// What a document calls itself.
pub const FORMAT: &str = "sluice/workflow";
/// The form that documents have in this release.
pub const FORMAT_VERSION: u32 = 1;
/// The most versions of a document.
pub const MAX_VERSIONS: usize = 1_000;
/// The most labels of a document.
pub const MAX_LABELS: usize = 100;

/// The checksum of a document: the SHA-256 of its RFC 8785 canonical JSON without the member `checksum`.
fn checksum(mut document: Value) -> String {
    if let Value::Object(members) = &mut document {
        members.shift_remove("checksum");
    }
    let canonical = serde_json_canonicalizer::to_vec(&document).expect("a JSON value has a canonical form");
    let hex: String = Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
