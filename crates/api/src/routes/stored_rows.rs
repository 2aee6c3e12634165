//! Conversion of lists of database rows.

use serde_json::value::RawValue;
use sluice_engine::StoreError;

use crate::error::{Problem, ProblemKind};

/// Returns a stored JSON text for a response, without parsing it.
pub(crate) fn stored_json(
    text: String,
    table: &'static str,
    id: impl ToString,
) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(text).map_err(|error| {
        let what = format!("its definition is not JSON: {error}");
        StoreError::Unreadable { table, id: id.to_string(), what }.into()
    })
}

/// Returns the readable items. Logs and skips unreadable ones, so that one bad row does not hide the others.
pub(crate) fn skip_unreadable<T>(
    items: impl IntoIterator<Item = Result<T, Problem>>,
) -> Result<Vec<T>, Problem> {
    let mut rows = Vec::new();
    for item in items {
        match item {
            Ok(item) => rows.push(item),
            // An unavailable database affects all rows.
            Err(problem) if problem.kind == ProblemKind::StoreUnavailable => return Err(problem),
            Err(problem) => tracing::error!(cause = problem.cause(), "skipped an unreadable row: {problem}"),
        }
    }
    Ok(rows)
}
