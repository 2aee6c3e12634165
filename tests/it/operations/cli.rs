//! The command line.

use std::path::Path;

use serde_json::json;

use crate::support::app::{App, on_both_databases};
use crate::support::database::{Backend, Database};
use crate::support::definitions::*;
use crate::support::json::assert_json;
use crate::support::process::{self, CommandOutput};

on_both_databases!(database_is_migrated_at_start);

fn succeeds(ended: CommandOutput) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

#[test]
fn version_is_shown() {
    let text = succeeds(process::run(&["--version"], &[]));
    assert!(text.starts_with("sluice ") && text.contains('.'), "{text}");
}

#[test]
fn help_shows_flags_variables_and_defaults() {
    let text = succeeds(process::run(&["serve", "--help"], &[]));
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
    let commands = succeeds(process::run(&["--help"], &[]));
    for command in ["serve", "validate", "migrate", "openapi"] {
        assert!(commands.contains(command), "{command} is missing in {commands}");
    }
}

#[test]
fn rejects_unknown_arguments() {
    for arguments in [&["--nope"][..], &["nope"], &["serve", "--listen", "nowhere"], &["validate"]] {
        let ended = process::run(arguments, &[]);
        assert!(
            ended.code.is_some_and(|code| code != 0) && !ended.stderr.is_empty(),
            "{arguments:?}: {ended:?}"
        );
        assert!(!ended.stderr.contains("panicked"), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn database_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let not_a_database = folder.path().join("text.db");
    std::fs::write(&not_a_database, "this is no database, and must stay as it is. ".repeat(100))
        .expect("a file");
    let before = std::fs::read(&not_a_database).expect("the file");
    for url in [
        format!("sqlite://{}", not_a_database.display()),
        "postgres://nobody@127.0.0.1:1/nothing".to_owned(),
        "mysql://localhost/x".to_owned(),
        "nonsense".to_owned(),
    ] {
        let data = folder.path().join("data").display().to_string();
        let ended = process::run(
            &["serve", "--listen", "127.0.0.1:0", "--database-url", &url, "--data-dir", &data],
            &[],
        );
        assert!(ended.code.is_some_and(|code| code != 0), "{url}: {ended:?}");
        assert!(!ended.text().trim().is_empty() && !ended.text().contains("panicked"), "{url}: {ended:?}");
    }
    assert_eq!(std::fs::read(&not_a_database).expect("the file"), before);
}

async fn migrated(backend: Backend) {
    let database = Database::new(backend).await;
    for _ in 0..2 {
        succeeds(process::run(&["migrate", "--database-url", &database.url], &[]));
    }
    // The environment variable works like the flag.
    succeeds(process::run(&["migrate"], &[("SLUICE_DATABASE_URL", &database.url)]));
    database.execute("SELECT id FROM workflows").await;
}

mod migrate_creates_the_tables {
    use super::{Backend, migrated};

    #[tokio::test]
    async fn sqlite() {
        migrated(Backend::Sqlite).await;
    }

    #[tokio::test]
    async fn postgres() {
        migrated(Backend::Postgres).await;
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

    succeeds(validate(&[&good]));
    succeeds(validate(&[&good, &definition_only]));
    let ended = validate(&[&good, &bad]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let text = ended.text();
    for part in ["bad.json", "/nodes/1/node_type", "node_type_unknown", "NoSuchThing"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    for path in [&broken, &folder.path().join("missing.json")] {
        let ended = validate(&[path]);
        assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
        assert!(ended.text().contains(".json") && !ended.text().contains("panicked"), "{ended:?}");
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
    let text = succeeds(validate(&[&warned]));
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
    let ended = validate(&[&deep]);
    for part in ["error[json_too_deep]", "column 65", "deep.json:1:65"] {
        assert!(ended.stdout.contains(part), "{part} is missing in {ended:?}");
    }
    let broken = file(folder.path(), "broken.json", "{\n  \"nodes\": [],\n  \"links\": [],\n}");
    let ended = validate(&[&broken]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for part in ["error[json_syntax]", "broken.json:4:1", "^"] {
        assert!(ended.text().contains(part), "{part} is missing in {}", ended.text());
    }
    // A line of a megabyte is shortened.
    let nodes: Vec<_> = (0..20_000).map(|i| json!({"id": format!("n{i}"), "node_type": "Nope"})).collect();
    let long = json!({"nodes": nodes, "links": []}).to_string();
    let ended = validate(&[&file(folder.path(), "long.json", &long)]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.len() < 1 << 20, "{} bytes", ended.stdout.len());
}

#[test]
fn positions_match_those_of_editors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Characters of several bytes, UTF-16 units and columns, CRLF, and a key with a long value.
    let text =
        WARNED.replace('ä', "👍宽").replace("{\"valeus\": {}}", "{\"valeus\": \"on\"}").replace('\n', "\r\n");
    let warned = file(folder.path(), "warned.json", &text);
    let drawn = succeeds(validate(&[&warned]));
    for part in ["--> ", "warned.json:4:61", "\"👍宽\"", "{\"valeus\": \"on\"}", " ^^^^^^^^\n"] {
        assert!(drawn.contains(part), "{part} is missing in {drawn}");
    }
    assert!(!drawn.contains(['\r', '␍']), "{drawn}");
    let run = |format: &str| -> serde_json::Value {
        let ended = process::run(&["validate", "--format", format, &warned.display().to_string()], &[]);
        serde_json::from_str(&ended.stdout).expect("JSON")
    };
    let found = run("json")["files"][0]["diagnostics"][0].clone();
    assert_json!(found, {"line": 4, "column": 61});
    let run = run("sarif")["runs"][0].clone();
    assert_eq!(run["columnKind"], "utf16CodeUnits");
    let region = &run["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!(*region, json!({"startLine": 4, "startColumn": 62, "endLine": 4, "endColumn": 70}));
    // Syntax errors count positions in the same way.
    let broken = file(folder.path(), "broken.json", "{\r\n\"👍宽\": nope}\r\n");
    let drawn = validate(&[&broken]).text();
    assert!(drawn.contains("broken.json:2:8") && drawn.contains("(line 2, column 8)"), "{drawn}");
}

#[test]
fn validate_prints_json_and_sarif() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let warned = file(folder.path(), "warned.json", WARNED);
    let missing = folder.path().join("missing.json");
    let run = |format: &str, path: &Path| {
        let ended = process::run(&["validate", "--format", format, &path.display().to_string()], &[]);
        let parsed: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
        (ended.code, parsed)
    };
    let (code, report) = run("json", &warned);
    assert_eq!(code, Some(0));
    assert_eq!(report["valid"], true);
    let found = &report["files"][0]["diagnostics"][0];
    assert_json!(found, {"code": "config_key_unknown", "line": 4, "column": 60});
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
    succeeds(validate(&paths));
}

/// `tracing` would read it as a target, and log nothing.
#[test]
fn rejects_an_unknown_log_level() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("sluice.db").display());
    for (words, fits) in
        [("warning", false), ("info,abc", false), ("warn,", true), ("sluice_api=debug,off", true)]
    {
        let ended = process::run(&["migrate", "--database-url", &url, "--log", words], &[]);
        assert_eq!(ended.code == Some(0), fits, "{words}: {ended:?}");
        assert!(fits || ended.stderr.contains("invalid level"), "{words}: {ended:?}");
    }
}
