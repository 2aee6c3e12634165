//! The diagnostics of one file, with their locations.

use std::io::Read;
use std::path::Path;

use sluice_domain::transfer;
use sluice_domain::validation::{Code, Diagnostic, Severity};

use super::source::{Source, Span};

/// Maximum size of a file, in bytes. Far more than the default limit of a server.
const MAX_BYTES: u64 = 256 << 20;

/// The diagnostics of a file.
pub(super) struct Report {
    pub(super) file: String,
    pub(super) source: Source,
    pub(super) findings: Vec<Finding>,
    /// The reason the file can't be read.
    pub(super) unreadable: Option<String>,
}

/// A diagnostic with its location.
pub(super) struct Finding {
    pub(super) diagnostic: Diagnostic,
    pub(super) span: Span,
    /// The locations of `diagnostic.related`.
    pub(super) related: Vec<Span>,
}

impl Report {
    /// Reads and validates a file.
    pub(super) fn new(file: &Path) -> Self {
        let name = if file == Path::new("-") { "<stdin>".to_owned() } else { file.display().to_string() };
        let bytes = match read(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                let unreadable = Some(format!("The file can't be read: {error}."));
                return Self { file: name, source: Source::default(), findings: Vec::new(), unreadable };
            }
        };
        let diagnostics = sluice_api::diagnose(&bytes);
        let source = Source::new(String::from_utf8_lossy(&bytes).into_owned());
        let is_rejected = diagnostics.first().is_some_and(|first| first.pointer.is_empty());
        let syntax_error = is_rejected.then(|| transfer::check_limits(&bytes).err()).flatten();
        let findings = match syntax_error {
            // Pointers can't be resolved in a text that can't be parsed.
            Some(error) => {
                let span = source.span_at(error.line(), error.column());
                let finding = |diagnostic| Finding { diagnostic, span, related: Vec::new() };
                diagnostics.into_iter().map(finding).collect()
            }
            None => locate(&source, diagnostics),
        };
        Self { file: name, source, findings, unreadable: None }
    }

    /// Returns true if the file has no errors.
    pub(super) fn is_valid(&self) -> bool {
        let is_error = |finding: &Finding| finding.diagnostic.severity() == Severity::Error;
        self.unreadable.is_none() && !self.findings.iter().any(is_error)
    }
}

/// Adds locations to diagnostics.
fn locate(source: &Source, diagnostics: Vec<Diagnostic>) -> Vec<Finding> {
    if diagnostics.is_empty() {
        return Vec::new();
    }
    let tree = source.parse();
    let locate = |diagnostic: Diagnostic| {
        let related = diagnostic.related.iter().map(|other| tree.value_span(&other.pointer)).collect();
        let span = match diagnostic.code {
            // The key is the problem, not its value.
            Code::ConfigKeyUnknown | Code::InputUnused => tree.key_span(&diagnostic.pointer),
            _ => tree.value_span(&diagnostic.pointer),
        };
        Finding { diagnostic, span, related }
    };
    diagnostics.into_iter().map(locate).collect()
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let size = if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)?
    } else {
        std::fs::File::open(file)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?
    };
    if size as u64 > MAX_BYTES {
        return Err(std::io::Error::other(format!("it is larger than {MAX_BYTES} bytes")));
    }
    Ok(bytes)
}
