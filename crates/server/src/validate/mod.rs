//! `sluice validate`: diagnostics of files, with the places where they stand.

mod json;
mod sarif;
mod source;
mod text;

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sluice_domain::validation::{self, Code, Diagnostic, Severity};

use crate::cli::ReportFormat;
use source::{Place, Source};

/// The most bytes of a file: far more than a server takes by default.
const MAX_BYTES: u64 = 256 << 20;

/// What was found in a file.
struct Report {
    file: String,
    source: Source,
    /// Each diagnostic with its place, and the places of what is related to it.
    found: Vec<(Diagnostic, Place, Vec<Place>)>,
    /// Why the file can't be read.
    unreadable: Option<String>,
}

/// Prints everything that is wrong, or looks wrong, with the files.
pub(crate) fn validate(files: &[PathBuf], format: ReportFormat) -> ExitCode {
    let reports: Vec<Report> = files.iter().map(|file| Report::of(file)).collect();
    print(&reports, format);
    if reports.iter().all(Report::is_valid) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the files hold; none when one of them has errors. Prints everything that is wrong, or looks wrong, with those
/// that have some.
pub(crate) fn fit(files: &[PathBuf]) -> Option<Vec<String>> {
    let (mut texts, mut unfit) = (Vec::new(), Vec::new());
    for report in files.iter().map(|file| Report::of(file)) {
        match report.is_valid() {
            true => texts.push(report.source.text),
            false => unfit.push(report),
        }
    }
    print(&unfit, ReportFormat::Text);
    unfit.is_empty().then_some(texts)
}

fn print(reports: &[Report], format: ReportFormat) {
    let is_styled = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = match format {
        ReportFormat::Text => text::write(reports, is_styled),
        ReportFormat::Json => json::write(reports),
        ReportFormat::Sarif => sarif::write(reports),
    };
    // A closed pipe takes nothing more; the exit code still tells.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

impl Report {
    fn of(file: &Path) -> Self {
        let name = if file == Path::new("-") { "<stdin>".to_owned() } else { file.display().to_string() };
        let bytes = match read(file) {
            Ok(bytes) => bytes,
            Err(why) => {
                let unreadable = Some(format!("The file can't be read: {why}."));
                return Self { file: name, source: Source::default(), found: Vec::new(), unreadable };
            }
        };
        let found = sluice_api::diagnose(&bytes);
        let is_refused = found.first().is_some_and(|first| first.pointer.is_empty());
        let refusal = is_refused.then(|| validation::check_text(&bytes).err()).flatten();
        let source = Source::new(String::from_utf8_lossy(&bytes).into_owned());
        let found = match refusal {
            // There are no pointers into what can't be parsed.
            Some(error) => {
                let place = source.at(error.line(), error.column());
                found.into_iter().map(|diagnostic| (diagnostic, place, Vec::new())).collect()
            }
            None => placed(&source, found),
        };
        Self { file: name, source, found, unreadable: None }
    }

    fn is_valid(&self) -> bool {
        let is_error =
            |(diagnostic, ..): &(Diagnostic, Place, Vec<Place>)| diagnostic.severity() == Severity::Error;
        self.unreadable.is_none() && !self.found.iter().any(is_error)
    }
}

fn placed(source: &Source, found: Vec<Diagnostic>) -> Vec<(Diagnostic, Place, Vec<Place>)> {
    if found.is_empty() {
        return Vec::new();
    }
    let map = source.map();
    let all = found.into_iter().map(|diagnostic| {
        let related = diagnostic.related.iter().map(|other| map.find(&other.pointer)).collect();
        let place = match diagnostic.code {
            // What is wrong is that it is there, whatever it holds.
            Code::ConfigKeyUnknown | Code::InputUnused => map.find_name(&diagnostic.pointer),
            _ => map.find(&diagnostic.pointer),
        };
        (diagnostic, place, related)
    });
    all.collect()
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
