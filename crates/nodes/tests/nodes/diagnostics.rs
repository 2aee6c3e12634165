//! Checks that the examples in the documentation have the documented diagnostics.

use std::path::{Path, PathBuf};

use sluice_domain::transfer::diagnose_json;
use sluice_domain::validation::{Code, Diagnostic, Severity};
use sluice_nodes::NodeKinds;

/// Codes without a bad example, which would be too large for a page.
const WITHOUT_EXAMPLE: [Code; 3] = [Code::TooManyNodes, Code::TooManyLinks, Code::DiagnosticsCut];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(code: Code) -> String {
    let path = root().join(format!("docs/diagnostics/{}.md", code.as_str()));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn example<'p>(page: &'p str, heading: &str) -> Option<&'p str> {
    let (_, rest) = page.split_once(&format!("## {heading}\n\n```json\n"))?;
    Some(rest.split_once("\n```").unwrap().0)
}

fn diagnose(text: &str) -> Vec<Diagnostic> {
    diagnose_json(text.as_bytes(), &NodeKinds::default())
}

fn codes(text: &str) -> Vec<Code> {
    diagnose(text).into_iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn every_code_has_a_page_with_a_bad_and_a_good_example() {
    for code in Code::ALL {
        let page = page(*code);
        assert!(page.starts_with(&format!("# `{}`\n", code.as_str())), "{code:?}");
        let severity = serde_json::to_value(code.severity()).unwrap();
        assert!(page.contains(&format!("Severity: {}.", severity.as_str().unwrap())), "{code:?}");
        let good = example(&page, "Good").unwrap_or_else(|| panic!("{code:?} has no good example"));
        assert!(!codes(good).contains(code), "{code:?}: {:?}", diagnose(good));
        assert!(
            diagnose(good).iter().all(|d| d.severity() != Severity::Error),
            "{code:?}: {:?}",
            diagnose(good)
        );
        match example(&page, "Bad") {
            Some(bad) => assert!(codes(bad).contains(code), "{code:?}: {:?}", diagnose(bad)),
            None => assert!(WITHOUT_EXAMPLE.contains(code), "{code:?} has no bad example"),
        }
    }
}

#[test]
fn every_page_belongs_to_a_code_and_is_in_the_index() {
    let folder = root().join("docs/diagnostics");
    let index = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_page = Code::ALL.iter().any(|code| name == format!("{}.md", code.as_str()));
        assert!(is_page || name == "README.md", "{name} doesn't belong to a code");
        assert!(name == "README.md" || index.contains(&format!("]({name})")), "{name} is not in the index");
    }
}

/// Returns the codes and pointers of all diagnostics of a file.
fn file_diagnostics(path: &str) -> Vec<(Code, String)> {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    diagnose(&text).into_iter().map(|diagnostic| (diagnostic.code, diagnostic.pointer)).collect()
}

#[test]
fn the_examples_have_only_the_expected_warnings() {
    let gate = (Code::GateDeclineNoOutput, "/definition/nodes/3".to_owned());
    let unlinked = (Code::NodeUnreachable, "/nodes/1".to_owned());
    for (path, expected) in [
        ("examples/approval.json", vec![gate]),
        ("examples/loop.json", vec![]),
        ("examples/router.json", vec![]),
        ("tests/fixtures/chatbot.json", vec![unlinked]),
        ("tests/fixtures/joke_generator.json", vec![]),
        ("tests/fixtures/slack_summary.json", vec![]),
    ] {
        assert_eq!(file_diagnostics(path), expected, "{path}");
    }
}
