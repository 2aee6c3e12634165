use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_domain::Definition;
use sluice_domain::transfer::{
    DocumentLabel, DocumentVersion, FORMAT, FORMAT_VERSION, ImportForm, WorkflowDocument, compact,
    detect_form, parse_document, pretty,
};
use sluice_domain::validation::Code;
use uuid::Uuid;

use crate::kinds::TestKinds;

const DEFINITION: &str = r#"{"nodes":[{"id":"in","title":"in","parent_id":null,"node_type":"InputNode","config":{"z":1.0,"a":[]},"coordinates":null,"dimensions":null,"subworkflow":null}],"links":[],"test_inputs":[],"spur_type":"workflow"}"#;

fn definition() -> Definition {
    serde_json::from_str(DEFINITION).unwrap()
}

fn document() -> WorkflowDocument {
    let version = DocumentVersion {
        version: 1,
        name: "n".to_owned(),
        description: None,
        definition: definition(),
        definition_hash: Some("h".to_owned()),
        note: Some("first".to_owned()),
        created_by: None,
        created_at: "2026-11-23T21:35:02.663234Z".parse().unwrap(),
    };
    let label = DocumentLabel { label: "production".to_owned(), version: 1, protected: true };
    WorkflowDocument {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        id: Some(Uuid::from_u128(7)),
        name: "n".to_owned(),
        description: Some(Some("d".to_owned())),
        tags: Some(vec!["t".to_owned()]),
        definition: definition(),
        definition_hash: Some("h".to_owned()),
        versions: Some(vec![version]),
        labels: Some(vec![label]),
        ..WorkflowDocument::default()
    }
}

#[test]
fn documents_round_trip() {
    for json in [document().to_json(), document().with_checksum().to_json(), document().into_file()] {
        let document = parse_document(&json).unwrap();
        assert_eq!(document.form, ImportForm::Document);
        assert_eq!((document.id, document.name.as_str()), (Some(Uuid::from_u128(7)), "n"));
        assert_eq!(
            (document.description, document.tags),
            (Some(Some("d".to_owned())), Some(vec!["t".to_owned()]))
        );
        assert_eq!(document.definition.to_json(), DEFINITION, "to the letter");
        let version = &document.versions.unwrap()[0];
        assert_eq!(version.definition.to_json(), DEFINITION);
        assert_eq!(version.note.as_deref(), Some("first"));
        assert!(document.labels.unwrap()[0].protected);
    }
}

#[test]
fn checksum_ignores_formatting_and_detects_changes() {
    let sealed = document().with_checksum().to_json();
    assert!(parse_document(&pretty(&sealed)).is_ok());
    let mut members: Value = serde_json::from_str(&sealed).unwrap();
    let mut reversed = serde_json::Map::new();
    reversed.extend(members.as_object().unwrap().clone().into_iter().rev());
    assert!(parse_document(&Value::Object(reversed).to_string()).is_ok());
    for (pointer, value) in
        [("/name", json!("m")), ("/versions/0/note", json!(null)), ("/checksum", json!("sha256:"))]
    {
        let mut changed = members.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        assert_eq!(
            parse_document(&changed.to_string()).unwrap_err().code,
            Code::ChecksumMismatch,
            "{pointer}"
        );
    }
    members["checksum"] = Value::Null;
    members["name"] = json!("m");
    assert!(parse_document(&members.to_string()).is_ok());
}

#[test]
fn times_have_six_fractional_digits() {
    let mut document = document();
    document.versions.as_mut().unwrap()[0].created_at = "2026-01-01T00:00:00Z".parse().unwrap();
    assert!(document.to_json().contains(r#""created_at":"2026-01-01T00:00:00.000000Z""#), "{document:?}");
}

#[test]
fn files_have_no_hashes() {
    let file = document().with_checksum().into_file();
    assert!(!file.contains("hash") && !file.contains("checksum"), "{file}");
}

#[test]
fn form_distinguishes_documents_requests_and_definitions() {
    for (json, wanted) in [
        (r#"{"format": 1}"#, Some(ImportForm::Document)),
        (r#"{"format": null, "name": "n"}"#, Some(ImportForm::Request)),
        (r#"{"name": "n"}"#, Some(ImportForm::Request)),
        (r#"{"definition": {}}"#, Some(ImportForm::Request)),
        (r#" {"nodes": [], "links": []}"#, Some(ImportForm::Definition)),
        (r#"{"name": "n", "nodes": [], "links": []}"#, Some(ImportForm::Definition)),
        ("[]", None),
        ("7", None),
        ("{", None),
    ] {
        assert_eq!(detect_form(json), wanted, "{json}");
    }
}

#[test]
fn rejects_gaps_between_version_numbers() {
    let mut members: Value = serde_json::from_str(&document().into_file()).unwrap();
    let first = members["versions"][0].clone();
    for (numbers, is_fit) in [
        (vec![1, 2, 3], true),
        (vec![7, 8], true),
        (vec![2, 1], false),
        (vec![1, 3], false),
        (vec![0], false),
        (vec![-1, 0], false),
        (vec![i32::MAX, i32::MAX], false),
    ] {
        let version = |number: &i32| {
            let mut version = first.clone();
            version["version"] = json!(number);
            version
        };
        members["versions"] = numbers.iter().map(version).collect();
        members["labels"] = json!([]);
        let found = parse_document(&members.to_string()).unwrap().diagnose(&TestKinds);
        assert_eq!(
            found.iter().all(|one| !one.pointer.ends_with("/version")),
            is_fit,
            "{numbers:?}: {found:?}"
        );
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((".*", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn formatting_preserves_values(value in value()) {
        let (short, long) = (value.to_string(), pretty(&value.to_string()));
        prop_assert_eq!(compact(&long), short.as_str());
        prop_assert_eq!(compact(&format!("{value:#}")), short);
        prop_assert_eq!(pretty(&long), long.as_str());
        prop_assert_eq!(serde_json::from_str::<Value>(&long).unwrap(), value);
    }
}
