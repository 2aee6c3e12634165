//! Import and export: the document format in which workflows move between servers and into git.

mod check;
mod checksum;
mod diagnose;
mod document;
mod import;
mod read;
mod text;

pub use diagnose::{check_limits, diagnose_json};
pub use document::{Document, DocumentLabel, DocumentVersion, Form};
pub use import::{ImportAction, ImportMode};
pub use read::{form, read};
pub use text::{compact, depth, pretty};

use checksum::checksum;

/// The value of a document's `format`.
pub const FORMAT: &str = "sluice/workflow";
/// The format version that this release reads and writes.
pub const FORMAT_VERSION: u32 = 1;
/// The maximum number of versions in a document.
pub const MAX_VERSIONS: usize = 1_000;
