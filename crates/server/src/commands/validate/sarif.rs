//! Diagnostics as SARIF 2.1.0.

use serde_json::{Value, json};
use sluice_domain::validation::{Code, Severity};

use super::report::{Finding, Report};
use super::source::Span;

/// Formats all reports as one run of the tool.
pub(super) fn write(reports: &[Report]) -> String {
    let results: Vec<Value> = reports
        .iter()
        .flat_map(|report| report.findings.iter().map(|finding| result(report, finding)))
        .collect();
    let notifications: Vec<Value> = reports.iter().filter_map(notification).collect();
    let rules: Vec<Value> = Code::ALL.iter().map(|code| rule(*code)).collect();
    let driver = json!({"name": "sluice", "version": env!("CARGO_PKG_VERSION"), "rules": rules});
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "columnKind": "utf16CodeUnits",
            "invocations": [{
                "executionSuccessful": notifications.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// Returns the error for a file that can't be read, or `None` if it was read.
fn notification(report: &Report) -> Option<Value> {
    let text = format!("{}: {}", report.file, report.unreadable.as_ref()?);
    Some(json!({"level": "error", "message": {"text": text}}))
}

fn level(code: Code) -> &'static str {
    match code.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "shortDescription": {"text": code.meaning()},
        "defaultConfiguration": {"level": level(code)},
    })
}

fn result(report: &Report, Finding { diagnostic, span, related }: &Finding) -> Value {
    let text = match &diagnostic.help {
        Some(help) => format!("{} {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let related = diagnostic.related.iter().zip(related).map(|(other, span)| {
        let mut location = location(report, &other.pointer, *span);
        location["message"] = json!({"text": other.message});
        location
    });
    json!({
        "ruleId": diagnostic.code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == diagnostic.code),
        "level": level(diagnostic.code),
        "message": {"text": text},
        "locations": [location(report, &diagnostic.pointer, *span)],
        "relatedLocations": related.collect::<Vec<_>>(),
    })
}

fn location(report: &Report, pointer: &str, span: Span) -> Value {
    json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&report.file)},
            "region": {
                "startLine": span.line,
                "startColumn": span.utf16_column,
                "endLine": span.line,
                "endColumn": span.utf16_end_column,
            },
        },
        "logicalLocations": [{"fullyQualifiedName": pointer}],
    })
}

/// Converts a path to a URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let encoded: String = path
        .bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if path.starts_with('/') { format!("file://{encoded}") } else { encoded }
}
