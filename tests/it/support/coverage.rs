//! Keeps which calls the suite made and how they were answered, for `scripts/api/answered.py`: every operation of the
//! document has to succeed and to fail somewhere, and no answer may have a status, or be a problem of a kind, that the
//! document doesn't know.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

/// Adds a line to a file of this process, below the folder that `SLUICE_ANSWERED` names; without it nothing is kept.
///
/// `text` is what was answered, as far as it has been read.
pub(crate) fn record(method: &str, path: &str, status: u16, text: &str) {
    let Some(folder) = std::env::var_os("SLUICE_ANSWERED") else { return };
    let file = Path::new(&folder).join(std::process::id().to_string());
    let file = OpenOptions::new().create(true).append(true).open(file);
    // One write for a line, so that tasks of one test don't write into each other's.
    let problem = serde_json::from_str::<Value>(text).ok().filter(|_| status >= 400);
    let kind = problem.as_ref().and_then(|problem| problem["type"].as_str()?.strip_prefix("/problems/"));
    let line = format!("{method} {path} {status} {}\n", kind.unwrap_or("-"));
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a folder to write answers into");
}
