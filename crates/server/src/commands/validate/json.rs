//! Diagnostics as a JSON object.

use serde_json::{Value, json};

use super::report::{Finding, Report};

/// Formats all reports.
pub(super) fn write(reports: &[Report]) -> String {
    let files: Vec<Value> = reports.iter().map(file).collect();
    format!("{:#}\n", json!({"valid": reports.iter().all(Report::is_valid), "files": files}))
}

fn file(report: &Report) -> Value {
    let diagnostics: Vec<Value> = report.findings.iter().map(entry).collect();
    let mut file = json!({"file": report.file, "valid": report.is_valid(), "diagnostics": diagnostics});
    if let Some(error) = &report.unreadable {
        file["error"] = error.as_str().into();
    }
    file
}

fn entry(Finding { diagnostic, span, related }: &Finding) -> Value {
    let related = diagnostic.related.iter().zip(related).map(|(other, span)| {
        json!({"pointer": other.pointer, "message": other.message, "line": span.line, "column": span.column})
    });
    let mut entry = json!({
        "code": diagnostic.code.as_str(),
        "severity": diagnostic.severity(),
        "pointer": diagnostic.pointer,
        "line": span.line,
        "column": span.column,
        "message": diagnostic.message,
        "related": related.collect::<Vec<_>>(),
    });
    let optional = [
        ("node_id", diagnostic.node_id.clone().map(Value::from)),
        ("link_index", diagnostic.link_index.map(Value::from)),
        ("help", diagnostic.help.clone().map(Value::from)),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            entry[key] = value;
        }
    }
    entry
}
