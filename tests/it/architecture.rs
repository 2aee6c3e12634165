//! Holds ARCHITECTURE.md to the truth: the arrows between crates, the paths it names, the reasons of the libraries, and
//! those invariants that can be read off the source.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn architecture() -> String {
    std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// {package: its direct dependencies outside of tests}.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&cargo.stdout).expect("cargo metadata answers in JSON");
    let packages = metadata["packages"].as_array().unwrap().iter();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let direct = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| dependency["kind"].is_null()).map(name).collect()
    };
    packages.map(|package| (name(package), direct(package))).collect()
}

/// The Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The lines of a crate's source that hold one of `words`.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let files = sources(&root().join(folder)).into_iter();
    files
        .flat_map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let hits = text.lines().filter(|line| words.iter().any(|word| line.contains(word)));
            hits.map(|line| format!("{}: {}", file.display(), line.trim())).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_crates_depend_on_each_other_as_drawn() {
    let allowed: &[(&str, &[&str])] = &[
        ("sluice-domain", &[]),
        ("sluice-json-schema", &[]),
        ("sluice-python", &[]),
        ("sluice-migration", &[]),
        ("sluice-telemetry", &[]),
        ("sluice-nodes", &["sluice-domain", "sluice-json-schema"]),
        ("sluice-engine", &["sluice-domain", "sluice-nodes", "sluice-python"]),
        ("sluice-persistence", &["sluice-domain", "sluice-engine", "sluice-migration"]),
        (
            "sluice-api",
            &["sluice-domain", "sluice-json-schema", "sluice-nodes", "sluice-engine", "sluice-persistence"],
        ),
        (
            "sluice",
            &[
                "sluice-domain",
                "sluice-nodes",
                "sluice-python",
                "sluice-engine",
                "sluice-persistence",
                "sluice-api",
                "sluice-telemetry",
            ],
        ),
        ("sluice-tests", &[]),
        ("sluice-bench", &["sluice-domain", "sluice-nodes", "sluice-engine", "sluice-persistence"]),
    ];
    let dependencies = dependencies();
    assert_eq!(
        dependencies.len(),
        allowed.len(),
        "a crate is missing in this test: {:?}",
        dependencies.keys()
    );
    for (package, allowed) in allowed {
        for dependency in dependencies[*package].iter().filter(|name| name.starts_with("sluice")) {
            assert!(allowed.contains(&dependency.as_str()), "{package} may not know {dependency}");
        }
    }
}

#[test]
fn only_the_crate_of_a_concern_knows_its_libraries() {
    let owners: &[(&str, &[&str])] = &[
        ("axum", &["sluice-api", "sluice-bench"]),
        ("utoipa", &["sluice-api"]),
        ("tower-http", &["sluice-api"]),
        ("axum-server", &["sluice"]),
        ("jsonschema", &["sluice-json-schema"]),
        ("sea-orm", &["sluice-persistence", "sluice-bench"]),
        ("sea-orm-migration", &["sluice-migration", "sluice-persistence"]),
        ("opentelemetry-otlp", &["sluice-telemetry"]),
        ("clap", &["sluice", "sluice-bench"]),
    ];
    for (package, dependencies) in dependencies() {
        for (library, owners) in owners {
            let known = dependencies.contains(*library);
            assert!(!known || owners.contains(&package.as_str()), "{package} may not know {library}");
        }
        if ["sluice-domain", "sluice-nodes"].contains(&package.as_str()) {
            for outside in ["tokio", "reqwest", "tracing", "async-trait"] {
                assert!(!dependencies.contains(outside), "{package} is pure: it may not know {outside}");
            }
        }
    }
}

#[test]
fn every_library_has_its_reason() {
    let architecture = architecture();
    let table: BTreeSet<&str> = architecture
        .lines()
        .filter(|line| line.starts_with("| "))
        .flat_map(|line| line.split('|').nth(1).unwrap_or_default().split(','))
        .map(str::trim)
        .collect();
    for (package, dependencies) in dependencies().into_iter().filter(|(package, _)| package != "sluice-tests")
    {
        for library in dependencies.iter().filter(|name| !name.starts_with("sluice")) {
            assert!(
                table.contains(library.as_str()),
                "{library}, used by {package}, has no reason in ARCHITECTURE.md"
            );
        }
    }
}

#[test]
fn the_paths_that_documents_name_exist() {
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let named = text.split('`').skip(1).step_by(2);
        let tops =
            ["crates/", "tests/", "docs/", "openapi/", "migration", "examples", "scripts/", "clippy.toml"];
        let paths: Vec<&str> = named.filter(|name| tops.iter().any(|top| name.starts_with(top))).collect();
        for path in &paths {
            assert!(root().join(path).exists(), "{document} names {path}, which doesn't exist");
        }
        assert!(document == "README.md" || paths.len() > 2, "{document} names no paths: is this test blind?");
    }
}

#[test]
fn the_invariants_that_can_be_read_hold() {
    let pure = ["crates/domain/src", "crates/nodes/src"];
    for folder in pure {
        let impure =
            ["std::fs", "std::net", "std::env", "std::process", "std::thread", "Utc::now", "Instant::now"];
        assert_eq!(lines_with(folder, &impure), Vec::<String>::new());
    }
    for folder in ["crates/domain/src", "crates/engine/src", "crates/persistence/src", "crates/server/src"] {
        assert_eq!(lines_with(folder, &["StatusCode", "http::"]), Vec::<String>::new());
    }
    for folder in ["crates/engine/src", "crates/api/src", "crates/server/src"] {
        assert_eq!(lines_with(folder, &["SELECT ", "INSERT ", "sea_orm", "sqlx"]), Vec::<String>::new());
    }
    for folder in [
        "crates/domain/src",
        "crates/nodes/src",
        "crates/engine/src",
        "crates/persistence/src",
        "crates/api/src",
    ] {
        assert_eq!(lines_with(folder, &["env::var"]), Vec::<String>::new());
    }
    assert_eq!(lines_with("migration/src", &["entity", "sluice_"]), Vec::<String>::new());
}

#[test]
fn files_stay_readable() {
    for folder in ["crates", "migration", "tests"] {
        for file in sources(&root().join(folder)) {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 600, "{} has {lines} lines: split it", file.display());
        }
    }
}
