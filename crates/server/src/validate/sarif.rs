//! Diagnostics as SARIF 2.1.0.

use serde_json::{Value, json};
use sluice_domain::validation::{Code, Diagnostic, Severity};

use super::Report;
use super::source::Place;

/// All reports as one run of the tool.
pub(super) fn write(reports: &[Report]) -> String {
    let results: Vec<Value> = reports
        .iter()
        .flat_map(|report| {
            report.found.iter().map(|(found, place, related)| result(report, found, *place, related))
        })
        .collect();
    let unreadable = reports.iter().filter_map(|report| {
        let text = format!("{}: {}", report.file, report.unreadable.as_ref()?);
        Some(json!({"level": "error", "message": {"text": text}}))
    });
    let unreadable: Vec<Value> = unreadable.collect();
    let rules: Vec<Value> = Code::ALL.iter().map(|code| rule(*code)).collect();
    let driver = json!({"name": "sluice", "version": env!("CARGO_PKG_VERSION"), "rules": rules});
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "columnKind": "utf16CodeUnits",
            "invocations": [{
                "executionSuccessful": unreadable.is_empty(),
                "toolExecutionNotifications": unreadable,
            }],
            "results": results,
        }],
    });
    format!("{log:#}\n")
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

fn result(report: &Report, found: &Diagnostic, place: Place, related: &[Place]) -> Value {
    let text = match &found.help {
        Some(help) => format!("{} {help}", found.message),
        None => found.message.clone(),
    };
    let related = found.related.iter().zip(related).map(|(other, place)| {
        let mut there = location(report, &other.pointer, *place);
        there["message"] = json!({"text": other.message});
        there
    });
    json!({
        "ruleId": found.code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == found.code),
        "level": level(found.code),
        "message": {"text": text},
        "locations": [location(report, &found.pointer, place)],
        "relatedLocations": related.collect::<Vec<_>>(),
    })
}

fn location(report: &Report, pointer: &str, place: Place) -> Value {
    json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&report.file)},
            "region": {
                "startLine": place.line,
                "startColumn": place.utf16.0,
                "endLine": place.line,
                "endColumn": place.utf16.1,
            },
        },
        "logicalLocations": [{"fullyQualifiedName": pointer}],
    })
}

/// A path as a relative or absolute reference of RFC 3986.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let coded: String = path
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if path.starts_with('/') { format!("file://{coded}") } else { coded }
}
