use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::value::RawValue;
use sluice_domain::validation::validate as check;
use sluice_domain::{Definition, guard};
use sluice_nodes::Builtin;

/// Prints every problem of every file, one a line: file, place, code and what to change.
pub(crate) fn validate(files: &[PathBuf]) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let mut problems = 0;
    for file in files {
        for problem in problems_of(file) {
            problems += 1;
            // A closed pipe takes nothing more; the exit code still tells.
            let _ = writeln!(out, "{}: {problem}", file.display());
        }
    }
    if problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn problems_of(file: &Path) -> Vec<String> {
    let (prefix, mut definition) = match read(file) {
        Ok(read) => read,
        Err(problem) => return vec![problem],
    };
    definition.normalise();
    let found = check(&definition, &Builtin::default()).into_iter();
    found.map(|d| format!("{prefix}{}: {}: {}", d.pointer, d.code.as_str(), d.message)).collect()
}

fn read(file: &Path) -> Result<(&'static str, Definition), String> {
    let text = std::fs::read(file).map_err(|error| format!("can't be read: {error}"))?;
    guard::check_json(&text).map_err(|error| format!("is not JSON that a server would take: {error}"))?;
    let misshapen = |error: serde_json::Error| format!("is not a workflow definition: {error}");
    let fields: HashMap<&str, &RawValue> = serde_json::from_slice(&text).map_err(misshapen)?;
    // The body of a create request has the definition in a field of its own.
    let (prefix, definition) = match fields.get("definition") {
        Some(definition) => ("/definition", serde_json::from_str(definition.get())),
        None => ("", serde_json::from_slice(&text)),
    };
    Ok((prefix, definition.map_err(misshapen)?))
}
