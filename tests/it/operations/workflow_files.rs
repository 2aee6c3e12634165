//! `sluice export` and `sluice import`: workflows as files.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::database::{Backend, Database};
use crate::support::definitions::*;
use crate::support::json::assert_json;
use crate::support::process::{self, CommandOutput};

fn sluice(command: &str, folder: &Path, database: &Database, more: &[&str]) -> CommandOutput {
    let folder = folder.display().to_string();
    let mut arguments = vec![command, &folder, "--database-url", &database.url, "--log", "error"];
    arguments.extend(more);
    process::run(&arguments, &[])
}

/// A database without workflows.
async fn empty() -> Database {
    let database = Database::new(Backend::Sqlite).await;
    done(process::run(&["migrate", "--database-url", &database.url, "--log", "error"], &[]));
    database
}

fn done(ended: CommandOutput) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

/// Texts of the files of a folder, by name.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    let text = |path: &Path| std::fs::read_to_string(path).expect("a text");
    files
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), text(&path)))
        .collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[tokio::test]
async fn files_survive_import_and_export_unchanged() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (source, first, second) = (folder(), folder(), folder());
    for path in [root.join("examples"), root.join("tests/fixtures")] {
        for file in std::fs::read_dir(path).expect("a folder").map(|file| file.expect("a file").path()) {
            if file.extension().is_some_and(|extension| extension == "json") {
                std::fs::copy(&file, source.path().join(file.file_name().expect("a name"))).expect("a copy");
            }
        }
    }
    let odd = r#"{"name": "Odd / Ünd", "definition": {"nodes": [{"id": "input_node", "node_type": "InputNode",
        "config": {"output_schema": {"z": "string", "a": "string"}}}, {"id": "s", "node_type": "StaticValueNode",
        "config": {"values": {"b": 1.0,  "a": 1e2, "ü\u00e4 {[\" : ": [ ], "n": {"x": -0.0}}}}], "links": []}}"#;
    std::fs::write(source.path().join("odd.json"), odd).expect("a file");

    let (here, there) = (empty().await, empty().await);
    let plan = done(sluice("import", source.path(), &here, &[]));
    assert!(plan.contains("7 to create, 0 to update, 0 unchanged."), "{plan}");
    assert!(plan.contains("Nothing was changed; run again with --yes."), "{plan}");
    done(sluice("import", source.path(), &here, &["--yes"]));
    let again = done(sluice("import", source.path(), &here, &["--yes"]));
    assert!(again.contains("0 to create, 0 to update, 7 unchanged."), "{again}");

    let out = done(sluice("export", first.path(), &here, &["--versions"]));
    assert!(out.contains("7 files written, 0 unchanged."), "{out}");
    let files = contents(first.path());
    let odd = files.iter().find(|(name, _)| name.starts_with("odd-nd.")).expect("its file").1;
    for part in ["\"b\": 1.0,\n", "\"a\": 1e2,\n", "\"ü\\u00e4 {[\\\" : \": [],\n", "\"x\": -0.0\n"] {
        assert!(odd.contains(part), "{part} is missing in {odd}");
    }
    assert!(files.values().all(|text| text.starts_with("{\n  \"format\"") && text.ends_with("}\n")));
    let out = done(sluice("export", first.path(), &here, &["--versions"]));
    assert!(out.contains("0 files written, 7 unchanged."), "{out}");

    let out = done(sluice("import", first.path(), &there, &["--yes"]));
    assert!(out.contains("Done: 7 workflows imported."), "{out}");
    done(sluice("export", second.path(), &there, &["--versions"]));
    assert_eq!(contents(second.path()), files);
    assert!(done(sluice("import", first.path(), &there, &["--yes"])).contains("Nothing to do"));
}

#[tokio::test]
async fn import_shows_a_plan_and_export_renames_files() {
    let (files, database) = (folder(), empty().await);
    std::fs::write(files.path().join("w.json"), constant("Some name", 1).to_string()).expect("a file");
    done(sluice("import", files.path(), &database, &["--yes"]));
    std::fs::remove_file(files.path().join("w.json")).expect("a file");
    done(sluice("export", files.path(), &database, &[]));
    let (name, text) = contents(files.path()).pop_first().expect("a file");
    assert!(name.starts_with("some-name."), "{name}");
    assert!(!text.contains("checksum") && !text.contains("definition_hash"), "{text}");

    let changed = text.replace("\"out\": 1", "\"out\": 2").replace("Some name", "Another name");
    std::fs::write(files.path().join(&name), changed).expect("a file");
    for _ in 0..2 {
        let plan = done(sluice("import", files.path(), &database, &["--dry-run"]));
        for part in [
            "update  \"Another name\"",
            "version 2 after 1",
            "\"Some name\" -> \"Another name\"",
            "~ node f",
            "0 to create, 1 to update",
        ] {
            assert!(plan.contains(part), "{part} is missing in {plan}");
        }
    }
    done(sluice("import", files.path(), &database, &["--yes"]));
    let out = done(sluice("export", files.path(), &database, &[]));
    assert!(out.contains("renamed"), "{out}");
    let (renamed, _) = contents(files.path()).pop_first().expect("a file");
    assert_eq!(renamed, name.replace("some-name", "another-name"));
    assert_eq!(contents(files.path()).len(), 1);

    std::fs::write(files.path().join("notes.json"), "[]").expect("a file");
    database.execute("DELETE FROM workflows").await;
    assert!(done(sluice("export", files.path(), &database, &[])).contains("--prune"));
    assert_eq!(contents(files.path()).len(), 2, "reported, not deleted");
    done(sluice("export", files.path(), &database, &["--prune"]));
    assert_eq!(contents(files.path()).into_keys().collect::<Vec<_>>(), ["notes.json"], "not ours");
}

#[tokio::test]
async fn import_is_in_the_audit_log() {
    let (files, database) = (folder(), empty().await);
    for value in [1, 2, 2] {
        std::fs::write(files.path().join("w.json"), constant("w", value).to_string()).expect("a file");
        done(sluice("import", files.path(), &database, &["--yes"]));
    }
    let app = App::start_on(database, &[]).await;
    let workflow = app.get("/wf/").await.ok()[0]["id"].clone();
    let path = format!("/wf/{}/versions/", workflow.as_str().expect("an id"));
    let versions = app.get(&path).await.ok();
    let hash = |n: usize| versions[n]["definition_hash"].clone();
    let entries = app.get("/audit/").await.ok();
    let reported: Vec<_> = entries
        .as_array()
        .expect("a list")
        .iter()
        .rev()
        .map(|entry| {
            assert_json!(entry, {"operation": "import", "subject_id": workflow, "actor": null});
            (entry["before"].clone(), entry["after"].clone())
        })
        .collect();
    assert_eq!(reported, [(Value::Null, hash(1)), (hash(1), hash(0))], "{versions}");
}

#[tokio::test]
async fn files_of_other_programs_are_ignored() {
    let (files, database) = (folder(), empty().await);
    write(files.path(), "w.json", &constant("w", 1).to_string());
    write(files.path(), "package.json", r#"{"name": "site", "version": "1.0.0"}"#);
    let ended = sluice("import", files.path(), &database, &["--yes"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.text().contains("package.json: The file does not contain a workflow definition"),
        "{ended:?}"
    );
    std::fs::remove_file(files.path().join("package.json")).expect("a file");
    assert!(done(sluice("import", files.path(), &database, &["--yes"])).contains("1 to create"));
}

#[tokio::test]
async fn files_with_errors_change_nothing() {
    let (files, database) = (folder(), empty().await);
    let write = |name: &str, value: &Value| {
        std::fs::write(files.path().join(name), value.to_string()).expect("a file");
    };
    write("fine.json", &constant("fine", 1));
    write("bad.json", &workflow("w", vec![input(), node("a", "NoSuchThing", json!({}))], vec![]));
    let ended = sluice("import", files.path(), &database, &["--yes"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for part in ["bad.json", "error[node_type_unknown]", "/definition/nodes/1/node_type", "1 error"] {
        assert!(ended.stdout.contains(part), "{part} is missing in {}", ended.stdout);
    }
    write("bad.json", &constant("fine", 2));
    let ended = sluice("import", files.path(), &database, &["--yes"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("Delete one of them."), "{ended:?}");
    let out = folder();
    assert!(done(sluice("export", out.path(), &database, &[])).contains("0 files written"));
    let ended = sluice("export", files.path(), &Database::new(Backend::Sqlite).await, &["--prune"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("--database-url"), "{ended:?}");
    let ended = sluice("import", &files.path().join("missing"), &database, &[]);
    assert!(ended.code == Some(1) && ended.stderr.contains("missing"), "{ended:?}");
}

async fn export_and_import_reject_a_database_in_use(app: App) {
    let files = folder();
    for command in ["export", "import"] {
        let ended = sluice(command, files.path(), &app.database, &[]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("POST /wf/import/"), "{ended:?}");
    }
}

on_both_databases!(export_and_import_reject_a_database_in_use);

/// Names of the files of a folder.
fn files_in(folder: &Path) -> Vec<String> {
    contents(folder).into_keys().collect()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file");
}

#[tokio::test]
async fn handwritten_files_become_documents_in_place() {
    let (files, database) = (folder(), empty().await);
    write(files.path(), "Plain one.json", &constant("x", 1)["definition"].to_string());
    write(files.path(), "request.json", &constant("Asked for", 2).to_string());
    done(sluice("import", files.path(), &database, &["--yes"]));
    // Files that hold no workflow are left alone.
    database.execute("UPDATE workflows SET description = 'edited' WHERE name = 'Plain one'").await;
    let package = r#"{"name": "Asked for", "private": true}"#;
    write(files.path(), "package.json", package);
    for more in [&["--versions"][..], &[]] {
        done(sluice("export", files.path(), &database, more));
        assert_eq!(files_in(files.path()), ["Plain one.json", "package.json", "request.json"]);
    }
    let texts = contents(files.path());
    assert!(
        texts["Plain one.json"].starts_with("{\n  \"format\"") && texts["Plain one.json"].contains("edited")
    );
    assert_eq!(texts["package.json"], package);
    assert!(done(sluice("export", files.path(), &database, &[])).contains("0 files written, 2 unchanged."));
    std::fs::remove_file(files.path().join("package.json")).expect("a file");
    assert!(done(sluice("import", files.path(), &database, &["--yes"])).contains("Nothing to do"));
    // A file keeps its name when its workflow is renamed.
    database.execute("UPDATE workflows SET name = 'Renamed' WHERE name = 'Plain one'").await;
    done(sluice("export", files.path(), &database, &[]));
    assert_eq!(files_in(files.path()), ["Plain one.json", "request.json"]);
    assert!(done(sluice("import", files.path(), &database, &["--yes"])).contains("Nothing to do"));
}

#[tokio::test]
async fn export_deletes_and_overwrites_only_with_a_flag() {
    let (files, database) = (folder(), empty().await);
    write(files.path(), "w.json", &constant("Same", 1).to_string());
    done(sluice("import", files.path(), &database, &["--yes"]));
    std::fs::remove_file(files.path().join("w.json")).expect("a file");
    done(sluice("export", files.path(), &database, &[]));
    let (name, text) = contents(files.path()).pop_first().expect("a file");
    // Copies, one with a name that differs only in case.
    let upper = name.to_uppercase().replace(".JSON", ".json");
    let copies = ["a copy.json", upper.as_str()];
    copies.iter().for_each(|copy| write(files.path(), copy, &text.replace("Same", "Other")));
    let before = contents(files.path());
    for more in [&[][..], &["--prune"]] {
        let reported = done(sluice("export", files.path(), &database, more));
        for copy in copies {
            assert!(
                reported.lines().any(|line| line.starts_with("duplicate") && line.contains(copy)),
                "{reported}"
            );
        }
        assert_eq!(contents(files.path()), before);
    }
    copies.iter().for_each(|copy| std::fs::remove_file(files.path().join(copy)).expect("a file"));

    // An unreadable file, such as one with merge conflicts, is kept, and the other files are written.
    database.execute("UPDATE workflows SET description = 'edited'").await;
    let broken = format!("<<<<<<< ours\n{text}");
    write(files.path(), &name, &broken);
    let ended = sluice("export", files.path(), &database, &["--prune"]);
    assert!(ended.code == Some(1) && ended.stdout.contains("fix it, or move it elsewhere"), "{ended:?}");
    assert_eq!(contents(files.path()), BTreeMap::from([(name.clone(), broken)]));
    std::fs::remove_file(files.path().join(&name)).expect("a file");
    write(files.path(), &upper, "[]");
    let ended = sluice("export", files.path(), &database, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(files_in(files.path()), vec![upper], "{ended:?}");
}

#[tokio::test]
async fn export_continues_after_an_unreadable_workflow() {
    let (files, out, database) = (folder(), folder(), empty().await);
    for name in ["one", "two", "three"] {
        write(files.path(), &format!("{name}.json"), &constant(name, 1)["definition"].to_string());
    }
    done(sluice("import", files.path(), &database, &["--yes"]));
    done(sluice("export", out.path(), &database, &["--versions"]));
    let before = contents(out.path());
    database.execute("UPDATE workflows SET description = 'edited'").await;
    let broken = "UPDATE workflow_versions SET definition = '{' WHERE name = 'one'";
    database.execute(broken).await;
    let ended = sluice("export", out.path(), &database, &["--versions", "--prune"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stdout.contains("\"one\"") && ended.stdout.contains("1 workflow not exported."),
        "{ended:?}"
    );
    assert!(ended.stdout.contains("2 files written"), "{ended:?}");
    for (name, text) in contents(out.path()) {
        assert_eq!(text == before[&name], name.starts_with("one."), "{name}");
    }
}

#[tokio::test]
async fn dry_run_creates_no_database() {
    let (files, database) = (folder(), Database::new(Backend::Sqlite).await);
    write(files.path(), "w.json", &constant("w", 1).to_string());
    for more in [&[][..], &["--dry-run"]] {
        let ended = sluice("import", files.path(), &database, more);
        assert!(ended.code == Some(1) && ended.stderr.contains("--database-url"), "{ended:?}");
    }
    assert!(!Path::new(database.url.trim_start_matches("sqlite://")).exists());
    done(sluice("import", files.path(), &database, &["--yes"]));
}

#[tokio::test]
async fn rejects_invalid_file_names() {
    let database = empty().await;
    for name in [&b"a\x1b[2Jb.json"[..], b"a\nb.json", b"a\xffb.json", b" .json"] {
        let files = folder();
        let path = files.path().join(std::ffi::OsString::from_vec(name.to_vec()));
        std::fs::write(path, constant("x", 1)["definition"].to_string()).expect("a file");
        let ended = sluice("import", files.path(), &database, &["--yes"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(
            ended.stdout.contains("Rename it.") && ended.stdout.contains("Nothing was changed."),
            "{ended:?}"
        );
        assert!(!ended.stdout.contains('\x1b'), "{ended:?}");
    }
    assert!(done(sluice("export", folder().path(), &database, &[])).contains("0 files written"));
}

#[tokio::test]
async fn import_follows_links_and_swapped_names() {
    let (files, elsewhere, database) = (folder(), folder(), empty().await);
    for name in ["first", "second"] {
        write(files.path(), &format!("{name}.json"), &constant(name, 1)["definition"].to_string());
    }
    done(sluice("import", files.path(), &database, &["--yes"]));
    done(sluice("export", files.path(), &database, &[]));
    let texts = contents(files.path());
    let swap = |file: &str, from: &str, to: &str| {
        let text = texts[file].replace(&format!("\"name\": \"{from}\""), &format!("\"name\": \"{to}\""));
        write(files.path(), file, &text);
    };
    swap("first.json", "first", "second");
    swap("second.json", "second", "first");
    let plan = done(sluice("import", files.path(), &database, &[]));
    assert!(plan.contains("0 to create, 2 to update"), "{plan}");
    done(sluice("import", files.path(), &database, &["--yes"]));
    assert!(done(sluice("import", files.path(), &database, &[])).contains("Nothing to do"));
    assert!(done(sluice("export", files.path(), &database, &[])).contains("0 files written, 2 unchanged."));

    // The target of a link is read but never written.
    let target = elsewhere.path().join("target");
    std::fs::rename(files.path().join("first.json"), &target).expect("a file");
    std::os::unix::fs::symlink(&target, files.path().join("first.json")).expect("a link");
    let text = std::fs::read_to_string(&target).expect("a text");
    assert!(done(sluice("import", files.path(), &database, &[])).contains("Nothing to do"));
    database.execute("UPDATE workflows SET description = 'edited'").await;
    done(sluice("export", files.path(), &database, &[]));
    assert_eq!(std::fs::read_to_string(&target).expect("a text"), text);
    assert!(contents(files.path())["first.json"].contains("edited"));
}
