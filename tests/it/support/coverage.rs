//! Records the calls of the suite for `scripts/api/coverage.py`. The script checks that each operation of the OpenAPI
//! document succeeds in one test and fails in another. It also checks that the document lists every status and problem
//! kind.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

/// Appends a line to the file of this process in the folder that `SLUICE_COVERAGE` names, if it is set.
pub(crate) fn record(method: &str, path: &str, status: u16, text: &str) {
    let Some(folder) = std::env::var_os("SLUICE_COVERAGE") else { return };
    let file = Path::new(&folder).join(std::process::id().to_string());
    let file = OpenOptions::new().create(true).append(true).open(file);
    // One write for each line, since the tasks of a test write to the same file.
    let problem = serde_json::from_str::<Value>(text).ok().filter(|_| status >= 400);
    let kind = problem.as_ref().and_then(|problem| problem["type"].as_str()?.strip_prefix("/problems/"));
    let line = format!("{method} {path} {status} {}\n", kind.unwrap_or("-"));
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a folder for the record");
}
