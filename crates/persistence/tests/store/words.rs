//! Search by words and tags.

use chrono::{DateTime, Utc};
use sluice_engine::clock;
use sluice_persistence::{
    Database, NewWorkflow, SaveOptions, Search, TimeRange, VersionFilter, WorkflowFilter,
};
use uuid::Uuid;

use crate::support::{ALL, TestDatabase, definition, new_workflow, on_both_databases};

on_both_databases!(finds_equivalent_spellings, finds_versions_by_words_and_times,);

async fn names(db: &Database, filter: WorkflowFilter) -> Vec<String> {
    db.workflow_list(filter, ALL).await.unwrap().rows.into_iter().map(|row| row.name).collect()
}

async fn find_by_words(db: &Database, text: &str) -> Vec<String> {
    names(db, WorkflowFilter { search: Search::new(text), ..WorkflowFilter::default() }).await
}

async fn find_by_tag(db: &Database, tag: &str) -> Vec<String> {
    names(db, WorkflowFilter { tag: Some(tag.to_owned()), ..WorkflowFilter::default() }).await
}

/// Returns the numbers of the versions that match a search text.
async fn find_versions(db: &Database, id: Uuid, text: &str) -> Vec<i32> {
    version_numbers(db, VersionFilter { search: Search::new(text), ..id.into() }).await
}

async fn version_numbers(db: &Database, filter: VersionFilter) -> Vec<i32> {
    let rows = db.version_list(filter.clone(), ALL).await.unwrap().unwrap().rows;
    assert_eq!(db.version_count(filter).await.unwrap(), rows.len() as u64);
    rows.into_iter().map(|version| version.version).collect()
}

fn new_described(name: &str, description: &str, tags: &[&str]) -> NewWorkflow {
    let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    NewWorkflow { description: Some(description.to_owned()), tags, ..new_workflow(name, "h") }
}

async fn finds_equivalent_spellings(database: &TestDatabase) {
    let db = database.open().await;
    let tags = ["re\u{301}sume\u{301}", "résumé"];
    db.workflow_create(new_described("Cafe\u{301} Straße", "ΟΔΟΣ", &tags), None).await.unwrap();
    for text in ["caf\u{e9}", "CAFE\u{301}", "STRASSE", "strass", "οδος", "ｃａｆé"] {
        assert_eq!(find_by_words(&db, text).await.len(), 1, "{text}");
    }
    assert!(find_by_words(&db, "cafe").await.is_empty());
    for tag in tags {
        assert_eq!(find_by_tag(&db, tag).await.len(), 1, "{tag}");
    }
    db.close().await;
}

async fn finds_versions_by_words_and_times(database: &TestDatabase) {
    let db = database.open().await;
    let id = db.workflow_create(new_described("Orders", "of today", &[]), None).await.unwrap().id;
    let other = db.workflow_create(new_described("Orders too", "", &[]), None).await.unwrap().id;
    for (n, note) in ["fixes the gate", "a gate more"].into_iter().enumerate() {
        let options = SaveOptions { note: Some(note.to_owned()), ..SaveOptions::default() };
        let definition = definition(&format!("h{n}"), 0);
        let bills = NewWorkflow { definition, ..new_described("Bills", "of today", &[]) };
        db.workflow_update(id, bills, options, None).await.unwrap();
    }
    for (text, expected) in [
        ("today", vec![3, 2, 1]),
        ("gat", vec![3, 2]),
        ("gate fix", vec![2]),
        ("bill", vec![3, 2]),
        ("order", vec![1]),
        ("too", vec![]),
    ] {
        assert_eq!(find_versions(&db, id, text).await, expected, "{text}");
    }
    assert_eq!(find_versions(&db, other, "order").await, [1]);
    let second: Option<DateTime<Utc>> =
        Some(db.version_list(id, ALL).await.unwrap().unwrap().rows[1].created_at);
    let created = |from, to| VersionFilter { created: TimeRange { from, to }, ..id.into() };
    assert_eq!(version_numbers(&db, created(second, second)).await, [2]);
    assert_eq!(version_numbers(&db, created(second, None)).await, [3, 2]);
    let both = VersionFilter { search: Search::new("today"), ..created(None, second) };
    assert_eq!(version_numbers(&db, both).await, [2, 1]);
    // An unknown workflow, and a workflow without matching versions.
    let unknown_workflow = VersionFilter { search: Search::new("x"), ..clock::new_id().into() };
    assert!(db.version_list(unknown_workflow, ALL).await.unwrap().is_none());
    assert!(find_versions(&db, id, "nothing").await.is_empty());
    db.close().await;
}
