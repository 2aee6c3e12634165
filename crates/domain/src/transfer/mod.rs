//! Import and export: the document format in which workflows move between servers and into git.

mod checksum;
mod diagnose;
mod document;
mod import;
mod parser;
mod rules;
mod text;

pub use diagnose::{check_limits, diagnose_json};
pub use document::{DocumentLabel, DocumentVersion, ImportForm, WorkflowDocument};
pub use import::{ImportAction, ImportMode};
pub use parser::{detect_form, parse_document};
pub use rules::MAX_VERSION_NUMBER;
pub use text::{compact, depth, pretty};

use checksum::checksum;

/// The value of a document's `format`.
pub const FORMAT: &str = "sluice/workflow";
/// The format version that this release reads and writes.
pub const FORMAT_VERSION: u32 = 1;
/// The maximum number of versions in a document.
pub const MAX_VERSIONS: usize = 1_000;
