//! Diagnostics as one JSON object.

use serde_json::{Value, json};
use sluice_domain::validation::Diagnostic;

use super::Report;
use super::source::Place;

/// All reports.
pub(super) fn write(reports: &[Report]) -> String {
    let files: Vec<Value> = reports.iter().map(file).collect();
    format!("{:#}\n", json!({"valid": reports.iter().all(Report::is_valid), "files": files}))
}

fn file(report: &Report) -> Value {
    let found = report.found.iter().map(|(diagnostic, place, related)| entry(diagnostic, *place, related));
    let mut file =
        json!({"file": report.file, "valid": report.is_valid(), "diagnostics": found.collect::<Vec<_>>()});
    if let Some(why) = &report.unreadable {
        file["error"] = why.as_str().into();
    }
    file
}

fn entry(found: &Diagnostic, place: Place, related: &[Place]) -> Value {
    let others = found.related.iter().zip(related).map(|(other, place)| {
        json!({"pointer": other.pointer, "message": other.message, "line": place.line, "column": place.column})
    });
    let mut entry = json!({
        "code": found.code.as_str(),
        "severity": found.severity(),
        "pointer": found.pointer,
        "line": place.line,
        "column": place.column,
        "message": found.message,
        "related": others.collect::<Vec<_>>(),
    });
    let optional = [
        ("node_id", found.node_id.clone().map(Value::from)),
        ("link_index", found.link_index.map(Value::from)),
        ("help", found.help.clone().map(Value::from)),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            entry[key] = value;
        }
    }
    entry
}
