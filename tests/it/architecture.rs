//! Checks the source against ARCHITECTURE.md: dependencies between crates, imports within a crate, reasons for the
//! libraries, and invariants that a search can check. Also checks the paths that the documents name.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod imports;
mod module_tree;
mod references;
mod synthetic;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use self::imports::{Imports, Violation, order};

/// Imports that may break the rules: (crate, importing file, imported file, reason).
const EXCEPTIONS: [(&str, &str, &str, &str); 1] = [(
    "persistence",
    "entity/run.rs",
    "entity/run_log.rs",
    "sea-orm's `Related` is implemented for both entities of a relation",
)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn architecture() -> String {
    std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

fn metadata() -> Value {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    serde_json::from_slice(&cargo.stdout).expect("cargo metadata writes JSON")
}

/// Returns the direct dependencies of each package, except those of its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let direct = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| dependency["kind"].is_null()).map(name).collect()
    };
    packages.map(|package| (name(package), direct(package))).collect()
}

/// Returns the folder name and the root file of each crate. A package can have a library and a binary.
fn crates() -> Vec<(String, PathBuf)> {
    let metadata = metadata();
    let mut crates = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap().file_name().unwrap().to_str().unwrap();
        for target in package["targets"].as_array().unwrap() {
            let is_crate = ["lib", "bin"].iter().any(|kind| target["kind"][0] == *kind);
            if is_crate || folder == "tests" {
                crates.push((folder.to_owned(), target["src_path"].as_str().unwrap().into()));
            }
        }
    }
    assert!(crates.len() > 10, "{crates:?}");
    crates
}

/// Returns the exceptions of a crate: (importing file, imported file).
fn exceptions(krate: &str) -> Vec<(&'static str, &'static str)> {
    let exceptions = EXCEPTIONS.iter().filter(|(name, ..)| *name == krate);
    exceptions.map(|(_, from, to, _)| (*from, *to)).collect()
}

fn lines(violations: &[Violation]) -> String {
    violations.iter().map(|violation| format!("\n  {violation}")).collect()
}

/// Lists the Rust files below a folder.
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

/// Returns the lines of a crate's source that contain one of `words`.
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
fn crates_depend_on_each_other_as_documented() {
    let allowed: &[(&str, &[&str])] = &[
        ("sluice-domain", &[]),
        ("sluice-python", &[]),
        ("sluice-migration", &[]),
        ("sluice-telemetry", &[]),
        ("sluice-http-server", &[]),
        ("sluice-nodes", &["sluice-domain"]),
        ("sluice-engine", &["sluice-domain", "sluice-nodes", "sluice-python"]),
        ("sluice-persistence", &["sluice-domain", "sluice-engine", "sluice-migration"]),
        ("sluice-api", &["sluice-domain", "sluice-nodes", "sluice-engine", "sluice-persistence"]),
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
                "sluice-http-server",
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
            assert!(allowed.contains(&dependency.as_str()), "{package} may not depend on {dependency}");
        }
    }
}

#[test]
fn no_crate_has_a_cycle_of_modules() {
    let mut failures = String::new();
    for (krate, root) in crates() {
        let cycles = Imports::of(&root).cycles(&exceptions(&krate));
        if !cycles.is_empty() {
            failures += &format!("{} imports of {krate} are in cycles:{}\n", cycles.len(), lines(&cycles));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn imports_follow_the_order_in_the_architecture() {
    let architecture = architecture();
    let mut failures = String::new();
    for (krate, root) in crates() {
        let imports = Imports::of(&root);
        if !imports.needs_order() {
            continue;
        }
        let Some(order) = order(&architecture, &krate) else {
            failures += &format!("ARCHITECTURE.md has no order for the modules of {krate}\n");
            continue;
        };
        let mismatches = imports.order_mismatches(&order);
        if !mismatches.is_empty() {
            failures += &format!("ARCHITECTURE.md and {krate} differ in {mismatches:?}\n");
        }
        let upward_violations = imports.upward_violations(&order, &exceptions(&krate));
        if !upward_violations.is_empty() {
            failures += &format!("imports that go upward in {krate}:{}\n", lines(&upward_violations));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn at_most_two_imports_are_exceptions() {
    assert!(EXCEPTIONS.len() <= 2);
    for (krate, from, to, _) in EXCEPTIONS {
        for file in [from, to] {
            assert!(root().join("crates").join(krate).join("src").join(file).exists(), "{file} of {krate}");
        }
    }
}

#[test]
fn libraries_are_used_only_by_their_crate() {
    let owners: &[(&str, &[&str])] = &[
        ("axum", &["sluice-http-server", "sluice-api", "sluice-bench"]),
        ("utoipa", &["sluice-api", "sluice-domain"]),
        ("tower-http", &["sluice-api"]),
        ("hyper", &["sluice-http-server"]),
        ("hyper-util", &["sluice-http-server"]),
        ("jsonschema", &["sluice-nodes", "sluice-api"]),
        ("sea-orm", &["sluice-migration", "sluice-persistence", "sluice-bench"]),
        ("opentelemetry-otlp", &["sluice-telemetry"]),
        ("clap", &["sluice", "sluice-bench"]),
    ];
    for (package, dependencies) in dependencies() {
        for (library, owners) in owners {
            let is_used = dependencies.contains(*library);
            assert!(!is_used || owners.contains(&package.as_str()), "{package} may not depend on {library}");
        }
        if ["sluice-domain", "sluice-nodes"].contains(&package.as_str()) {
            for impure in ["tokio", "reqwest", "tracing", "async-trait"] {
                assert!(!dependencies.contains(impure), "{package} is pure: it may not depend on {impure}");
            }
        }
    }
}

#[test]
fn every_library_has_a_reason() {
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
fn paths_in_documents_exist() {
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let code_spans = text.split('`').skip(1).step_by(2);
        let prefixes =
            ["crates/", "tests/", "docs/", "openapi/", "migration", "examples", "scripts/", "clippy.toml"];
        let paths: Vec<&str> =
            code_spans.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect();
        for path in &paths {
            assert!(root().join(path).exists(), "{document} names {path}, which doesn't exist");
        }
        assert!(
            document == "README.md" || paths.len() > 2,
            "{document} names at most 2 paths: check this test"
        );
    }
}

#[test]
fn source_keeps_the_invariants() {
    let pure = ["crates/domain/src", "crates/nodes/src"];
    for folder in pure {
        let impure =
            ["std::fs", "std::net", "std::env", "std::process", "std::thread", "Utc::now", "Instant::now"];
        assert_eq!(lines_with(folder, &impure), Vec::<String>::new());
    }
    for folder in ["crates/domain/src", "crates/engine/src", "crates/persistence/src", "crates/server/src"] {
        assert_eq!(lines_with(folder, &["StatusCode", "http::"]), Vec::<String>::new());
    }
    // Connections, not responses.
    assert_eq!(lines_with("crates/http-server/src", &["StatusCode"]), Vec::<String>::new());
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
fn files_have_at_most_600_lines() {
    for folder in ["crates", "migration", "tests"] {
        for file in sources(&root().join(folder)) {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 600, "{} has {lines} lines: split it", file.display());
        }
    }
}
