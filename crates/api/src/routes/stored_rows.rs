//! Conversion of lists of database rows.

use serde_json::value::RawValue;
use sluice_engine::StoreError;

use crate::error::{Problem, ProblemKind};

/// A stored JSON text, to be answered as it stands.
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

/// The items that can be read; the others are logged and left out, so that one bad row hides no good ones.
pub(crate) fn skip_unreadable<T>(
    items: impl IntoIterator<Item = Result<T, Problem>>,
) -> Result<Vec<T>, Problem> {
    let mut rows = Vec::new();
    for item in items {
        match item {
            Ok(item) => rows.push(item),
            // The store is away: that is no row's fault.
            Err(problem) if problem.kind == ProblemKind::StoreUnavailable => return Err(problem),
            Err(problem) => tracing::error!(cause = problem.cause(), "skipped an unreadable row: {problem}"),
        }
    }
    Ok(rows)
}
