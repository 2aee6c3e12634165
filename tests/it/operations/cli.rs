//! The command line.

use std::path::Path;

use serde_json::json;

use crate::support::app::{App, on_both_databases};
use crate::support::database::{Backend, Database};
use crate::support::definitions::*;
use crate::support::json::assert_json;
use crate::support::process::{self, CommandOutput};

on_both_databases!(database_is_migrated_at_start);

fn assert_success(output: CommandOutput) -> String {
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stdout
}

#[test]
fn version_is_shown() {
    let text = assert_success(process::run(&["--version"], &[]));
    assert!(text.starts_with("sluice ") && text.contains('.'), "{text}");
}

#[test]
fn help_shows_flags_variables_and_defaults() {
    let text = assert_success(process::run(&["serve", "--help"], &[]));
    for (flag, variable, default) in [
        ("--listen", "SLUICE_LISTEN", "127.0.0.1:8080"),
        ("--database-url", "SLUICE_DATABASE_URL", "sqlite://sluice.db"),
        ("--data-dir", "SLUICE_DATA_DIR", "./data"),
        ("--log", "SLUICE_LOG", ""),
        ("--log-format", "SLUICE_LOG_FORMAT", "pretty"),
    ] {
        for part in [flag, variable, default] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
    let commands = assert_success(process::run(&["--help"], &[]));
    for command in ["serve", "validate", "migrate", "openapi"] {
        assert!(commands.contains(command), "{command} is missing in {commands}");
    }
}

#[test]
fn rejects_unknown_arguments() {
    for arguments in [&["--nope"][..], &["nope"], &["serve", "--listen", "nowhere"], &["validate"]] {
        let output = process::run(arguments, &[]);
        assert!(
            output.code.is_some_and(|code| code != 0) && !output.stderr.is_empty(),
            "{arguments:?}: {output:?}"
        );
        assert!(!output.stderr.contains("panicked"), "{arguments:?}: {}", output.stderr);
    }
}

#[test]
fn rejects_a_database_that_cannot_be_opened() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let not_a_database = folder.path().join("text.db");
    std::fs::write(&not_a_database, "This is not a database, and must not change.  ".repeat(100))
        .expect("a file");
    let before = std::fs::read(&not_a_database).expect("the file");
    for url in [
        format!("sqlite://{}", not_a_database.display()),
        "postgres://nobody@127.0.0.1:1/nothing".to_owned(),
        "mysql://localhost/x".to_owned(),
        "nonsense".to_owned(),
    ] {
        let data = folder.path().join("data").display().to_string();
        let output = process::run(
            &["serve", "--listen", "127.0.0.1:0", "--database-url", &url, "--data-dir", &data],
            &[],
        );
        assert!(output.code.is_some_and(|code| code != 0), "{url}: {output:?}");
        assert!(!output.text().trim().is_empty() && !output.text().contains("panicked"), "{url}: {output:?}");
    }
    assert_eq!(std::fs::read(&not_a_database).expect("the file"), before);
}

async fn check_migrate(backend: Backend) {
    let database = Database::new(backend).await;
    for _ in 0..2 {
        assert_success(process::run(&["migrate", "--database-url", &database.url], &[]));
    }
    // The environment variable works like the flag.
    assert_success(process::run(&["migrate"], &[("SLUICE_DATABASE_URL", &database.url)]));
    database.execute("SELECT id FROM workflows").await;
}

mod migrate_creates_the_tables {
    use super::{Backend, check_migrate};

    #[tokio::test]
    async fn sqlite() {
        check_migrate(Backend::Sqlite).await;
    }

    #[tokio::test]
    async fn postgres() {
        check_migrate(Backend::Postgres).await;
    }
}

async fn database_is_migrated_at_start(app: App) {
    app.database.execute("SELECT id FROM workflows").await;
}

fn validate(files: &[&Path]) -> CommandOutput {
    let mut arguments = vec!["validate".to_owned()];
    arguments.extend(files.iter().map(|f| f.display().to_string()));
    process::run(&arguments, &[])
}

#[test]
fn validate_lists_diagnostics() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let good = file("good.json", plain("w").to_string());
    let definition_only = file("definition.json", plain("w")["definition"].to_string());
    let bad = file(
        "bad.json",
        workflow("w", vec![input(), node("a", "NoSuchThing", json!({}))], vec![]).to_string(),
    );
    let broken = file("broken.json", "{".to_owned());

    assert_success(validate(&[&good]));
    assert_success(validate(&[&good, &definition_only]));
    let output = validate(&[&good, &bad]);
    assert_eq!(output.code, Some(1), "{output:?}");
    let text = output.text();
    for part in ["bad.json", "/nodes/1/node_type", "node_type_unknown", "NoSuchThing"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    for path in [&broken, &folder.path().join("missing.json")] {
        let output = validate(&[path]);
        assert!(output.code.is_some_and(|code| code != 0), "{output:?}");
        assert!(output.text().contains(".json") && !output.text().contains("panicked"), "{output:?}");
    }
}

fn file(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

/// A definition with a warning on line 4.
const WARNED: &str = r#"{
  "nodes": [
    {"id": "input_node", "node_type": "InputNode"},
    {"id": "ä", "node_type": "StaticValueNode", "config": {"valeus": {}}}
  ],
  "links": [{"source_id": "input_node", "target_id": "ä"}]
}"#;

#[test]
fn validate_shows_diagnostics_in_the_source() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let warned = file(folder.path(), "warned.json", WARNED);
    let text = assert_success(validate(&[&warned]));
    for part in [
        "warning[config_key_unknown]",
        "warned.json:4:60",
        "{\"valeus\": {}}",
        "^^^^^^^^",
        "help: Did you mean \"values\"?",
        "0 errors and 1 warning.",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let deep = file(folder.path(), "deep.json", &"[".repeat(100));
    let output = validate(&[&deep]);
    for part in ["error[json_too_deep]", "column 65", "deep.json:1:65"] {
        assert!(output.stdout.contains(part), "{part} is missing in {output:?}");
    }
    let broken = file(folder.path(), "broken.json", "{\n  \"nodes\": [],\n  \"links\": [],\n}");
    let output = validate(&[&broken]);
    assert_eq!(output.code, Some(1), "{output:?}");
    for part in ["error[json_syntax]", "broken.json:4:1", "^"] {
        assert!(output.text().contains(part), "{part} is missing in {}", output.text());
    }
    // A line of a megabyte is shortened.
    let nodes: Vec<_> = (0..20_000).map(|i| json!({"id": format!("n{i}"), "node_type": "Nope"})).collect();
    let long = json!({"nodes": nodes, "links": []}).to_string();
    let output = validate(&[&file(folder.path(), "long.json", &long)]);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.len() < 1 << 20, "{} bytes", output.stdout.len());
}

#[test]
fn positions_match_those_of_editors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Characters of several bytes, UTF-16 units and columns, CRLF, and a key with a long value.
    let text =
        WARNED.replace('ä', "👍宽").replace("{\"valeus\": {}}", "{\"valeus\": \"on\"}").replace('\n', "\r\n");
    let warned = file(folder.path(), "warned.json", &text);
    let rendered = assert_success(validate(&[&warned]));
    for part in ["--> ", "warned.json:4:61", "\"👍宽\"", "{\"valeus\": \"on\"}", " ^^^^^^^^\n"] {
        assert!(rendered.contains(part), "{part} is missing in {rendered}");
    }
    assert!(!rendered.contains(['\r', '␍']), "{rendered}");
    let run = |format: &str| -> serde_json::Value {
        let output = process::run(&["validate", "--format", format, &warned.display().to_string()], &[]);
        serde_json::from_str(&output.stdout).expect("JSON")
    };
    let diagnostic = run("json")["files"][0]["diagnostics"][0].clone();
    assert_json!(diagnostic, {"line": 4, "column": 61});
    let run = run("sarif")["runs"][0].clone();
    assert_eq!(run["columnKind"], "utf16CodeUnits");
    let region = &run["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!(*region, json!({"startLine": 4, "startColumn": 62, "endLine": 4, "endColumn": 70}));
    // Positions of syntax errors are counted in the same way.
    let broken = file(folder.path(), "broken.json", "{\r\n\"👍宽\": nope}\r\n");
    let rendered = validate(&[&broken]).text();
    assert!(rendered.contains("broken.json:2:8") && rendered.contains("(line 2, column 8)"), "{rendered}");
}

#[test]
fn validate_prints_json_and_sarif() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let warned = file(folder.path(), "warned.json", WARNED);
    let missing = folder.path().join("missing.json");
    let run = |format: &str, path: &Path| {
        let output = process::run(&["validate", "--format", format, &path.display().to_string()], &[]);
        let parsed: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
        (output.code, parsed)
    };
    let (code, report) = run("json", &warned);
    assert_eq!(code, Some(0));
    assert_eq!(report["valid"], true);
    let diagnostic = &report["files"][0]["diagnostics"][0];
    assert_json!(diagnostic, {"code": "config_key_unknown", "line": 4, "column": 60});
    let (code, report) = run("json", &missing);
    assert_eq!(code, Some(1));
    assert_eq!(report["valid"], false);
    assert!(report["files"][0]["error"].is_string(), "{report}");

    let (code, log) = run("sarif", &warned);
    assert_eq!(code, Some(0));
    assert_eq!(log["version"], "2.1.0");
    let result = &log["runs"][0]["results"][0];
    assert_json!(result, {"ruleId": "config_key_unknown", "level": "warning"});
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!(*region, json!({"startLine": 4, "startColumn": 60, "endLine": 4, "endColumn": 68}));
    let rule = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
    assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][rule]["id"], "config_key_unknown");
    let (code, log) = run("sarif", &missing);
    assert_eq!(code, Some(1));
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], false);
}

#[test]
fn examples_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let files: Vec<_> =
        std::fs::read_dir(folder).expect("the examples").map(|f| f.expect("a file").path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    let paths: Vec<&Path> = files.iter().map(AsRef::as_ref).collect();
    assert_success(validate(&paths));
}

/// `tracing` would parse an unknown level as a target, and log nothing.
#[test]
fn rejects_an_unknown_log_level() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("sluice.db").display());
    for (level, is_valid) in
        [("warning", false), ("info,abc", false), ("warn,", true), ("sluice_api=debug,off", true)]
    {
        let output = process::run(&["migrate", "--database-url", &url, "--log", level], &[]);
        assert_eq!(output.code == Some(0), is_valid, "{level}: {output:?}");
        assert!(is_valid || output.stderr.contains("invalid level"), "{level}: {output:?}");
    }
}
