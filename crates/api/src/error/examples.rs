//! Examples of problems for the OpenAPI document.

use serde_json::Value;

use crate::error::{FailedNode, Problem, ProblemItem, ProblemKind};

/// Id of the run in the examples.
pub(crate) const RUN_ID: &str = "019aa2b5-0b7c-7f12-8a44-91d0c2e4f602";

/// Returns a problem of this kind as JSON.
pub(crate) fn problem(kind: ProblemKind) -> Value {
    let item = |pointer, code| vec![ProblemItem::new(pointer, code, kind.example())];
    let problem = match kind {
        ProblemKind::InvalidBody => Problem::invalid(kind, item("/name", "missing")),
        ProblemKind::InvalidDefinition => {
            Problem::invalid(kind, item("/definition/links/0/target_id", "link_target_unknown"))
        }
        ProblemKind::InvalidQuery => Problem::invalid(kind, item("/page", "range")),
        ProblemKind::RunFailed => {
            let failed = FailedNode { node_id: "p".to_owned(), error: "division by zero".to_owned() };
            let run_id = uuid::Uuid::try_parse(RUN_ID).unwrap_or_default();
            Problem::new(kind, kind.example()).with_run(run_id, vec![failed])
        }
        other => Problem::new(other, other.example()),
    };
    let instance = "urn:uuid:019aa2b5-3d21-7e90-b7c5-0d1e2f3a4b05".to_owned();
    serde_json::to_value(problem.body(instance)).unwrap_or_default()
}
