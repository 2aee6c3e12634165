//! `sluice validate`: diagnostics of files, with their lines and columns.

mod json;
mod sarif;
mod source;
mod text;

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use sluice_domain::validation::{Code, Diagnostic, Severity};

use source::{Source, Span};

/// Maximum size of a file, in bytes. Far more than the default limit of a server.
const MAX_BYTES: u64 = 256 << 20;

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// JSON files: workflow definitions or bodies of create requests. `-` reads standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Text for people, beside the source.
    Text,
    /// A JSON object with the diagnostics of each file.
    Json,
    /// SARIF 2.1.0, for code scanners and editors.
    Sarif,
}

/// The diagnostics of a file.
struct Report {
    file: String,
    source: Source,
    findings: Vec<Finding>,
    /// The reason the file can't be read.
    unreadable: Option<String>,
}

/// A diagnostic with its location.
struct Finding {
    diagnostic: Diagnostic,
    span: Span,
    /// The locations of `diagnostic.related`.
    related: Vec<Span>,
}

/// Prints the errors and warnings of the files.
pub(super) fn run(args: &ValidateArgs) -> ExitCode {
    let reports: Vec<Report> = args.files.iter().map(|file| Report::new(file)).collect();
    print(&reports, args.format);
    if reports.iter().all(Report::is_valid) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the texts of the files, or `None` if one of them has errors. Prints the diagnostics of the invalid files.
pub(super) fn read_valid(files: &[PathBuf]) -> Option<Vec<String>> {
    let (valid, invalid): (Vec<_>, Vec<_>) =
        files.iter().map(|file| Report::new(file)).partition(Report::is_valid);
    print(&invalid, Format::Text);
    invalid.is_empty().then(|| valid.into_iter().map(|report| report.source.text).collect())
}

fn print(reports: &[Report], format: Format) {
    let is_styled = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = match format {
        Format::Text => text::write(reports, is_styled),
        Format::Json => json::write(reports),
        Format::Sarif => sarif::write(reports),
    };
    // A closed pipe is not an error, the exit code is enough.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

impl Report {
    fn new(file: &Path) -> Self {
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
        let syntax_error = is_rejected.then(|| sluice_domain::transfer::check_limits(&bytes).err()).flatten();
        let findings = match syntax_error {
            // Pointers lead nowhere in a text that can't be parsed.
            Some(error) => {
                let span = source.span_at(error.line(), error.column());
                let finding = |diagnostic| Finding { diagnostic, span, related: Vec::new() };
                diagnostics.into_iter().map(finding).collect()
            }
            None => locate(&source, diagnostics),
        };
        Self { file: name, source, findings, unreadable: None }
    }

    fn is_valid(&self) -> bool {
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
            // The presence of the key is the problem, not its value.
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
