//! Workflows on the move: the document in which one goes from a server to another, or into git.

mod checksum;
mod document;
mod incoming;
mod text;

pub use document::{Document, DocumentLabel, DocumentVersion};
pub use incoming::{Form, Incoming, IncomingLabel, IncomingVersion, form, read};
pub use text::{compact, depth, pretty};

use checksum::checksum;

/// What a document calls itself.
pub const FORMAT: &str = "sluice/workflow";
/// The form that documents have in this release.
pub const FORMAT_VERSION: u32 = 1;
/// The most versions of a document.
pub const MAX_VERSIONS: usize = 1_000;
/// The most labels of a document.
pub const MAX_LABELS: usize = 100;
