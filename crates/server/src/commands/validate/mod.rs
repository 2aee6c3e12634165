//! `sluice validate`: diagnostics of files, with their lines and columns.

mod json;
mod report;
mod sarif;
mod source;
mod text;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use report::Report;

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// JSON files: exported workflows, bodies of create requests, or workflow definitions. `-` reads standard
    /// input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Text for people, with excerpts of the files.
    Text,
    /// A JSON object with the diagnostics of each file.
    Json,
    /// SARIF 2.1.0, for code scanners and editors.
    Sarif,
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
    // A closed pipe is not an error: the exit code reports the result.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
