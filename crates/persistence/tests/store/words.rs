//! Search by words.

use chrono::{DateTime, Utc};
use sluice_engine::clock;
use sluice_persistence::{
    Database, NewWorkflow, SaveOptions, Search, TimeRange, VersionFilter, WorkflowFilter,
};
use uuid::Uuid;

use crate::support::{ALL, Place, accepted, new, on_both_stores};

on_both_stores!(finds_equivalent_spellings, finds_versions_by_words_and_times,);

async fn names(db: &Database, filter: WorkflowFilter) -> Vec<String> {
    db.workflow_list(filter, ALL).await.unwrap().rows.into_iter().map(|row| row.name).collect()
}

async fn found(db: &Database, text: &str) -> Vec<String> {
    names(db, WorkflowFilter { search: Search::new(text), ..WorkflowFilter::default() }).await
}

async fn tagged(db: &Database, tag: &str) -> Vec<String> {
    names(db, WorkflowFilter { tag: Some(tag.to_owned()), ..WorkflowFilter::default() }).await
}

/// The numbers of the versions that have a word.
async fn noted(db: &Database, id: Uuid, text: &str) -> Vec<i32> {
    versions(db, VersionFilter { search: Search::new(text), ..id.into() }).await
}

async fn versions(db: &Database, filter: VersionFilter) -> Vec<i32> {
    let found = db.version_list(filter.clone(), ALL).await.unwrap().unwrap().rows;
    assert_eq!(db.version_count(filter).await.unwrap(), found.len() as u64);
    found.into_iter().map(|version| version.version).collect()
}

fn described(name: &str, description: &str, tags: &[&str]) -> NewWorkflow {
    let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    NewWorkflow { description: Some(description.to_owned()), tags, ..new(name, "h") }
}

async fn finds_equivalent_spellings(place: &Place) {
    let db = place.open().await;
    let tags = ["re\u{301}sume\u{301}", "résumé"];
    db.workflow_create(described("Cafe\u{301} Straße", "ΟΔΟΣ", &tags), None).await.unwrap();
    for text in ["caf\u{e9}", "CAFE\u{301}", "STRASSE", "strass", "οδος", "ｃａｆé"] {
        assert_eq!(found(&db, text).await.len(), 1, "{text}");
    }
    assert!(found(&db, "cafe").await.is_empty());
    for tag in tags {
        assert_eq!(tagged(&db, tag).await.len(), 1, "{tag}");
    }
    db.close().await;
}

async fn finds_versions_by_words_and_times(place: &Place) {
    let db = place.open().await;
    let id = db.workflow_create(described("Orders", "of today", &[]), None).await.unwrap().id;
    let other = db.workflow_create(described("Orders too", "", &[]), None).await.unwrap().id;
    for (n, note) in ["fixes the gate", "a gate more"].into_iter().enumerate() {
        let saving = SaveOptions { note: Some(note.to_owned()), ..SaveOptions::default() };
        let definition = accepted(&format!("h{n}"), 0);
        let bills = NewWorkflow { definition, ..described("Bills", "of today", &[]) };
        db.workflow_update(id, bills, saving, None).await.unwrap();
    }
    for (text, expected) in [
        ("today", vec![3, 2, 1]),
        ("gat", vec![3, 2]),
        ("gate fix", vec![2]),
        ("bill", vec![3, 2]),
        ("order", vec![1]),
        ("too", vec![]),
    ] {
        assert_eq!(noted(&db, id, text).await, expected, "{text}");
    }
    assert_eq!(noted(&db, other, "order").await, [1]);
    let second: Option<DateTime<Utc>> =
        Some(db.version_list(id, ALL).await.unwrap().unwrap().rows[1].created_at);
    let made = |from, to| VersionFilter { created: TimeRange { from, to }, ..id.into() };
    assert_eq!(versions(&db, made(second, second)).await, [2]);
    assert_eq!(versions(&db, made(second, None)).await, [3, 2]);
    let both = VersionFilter { search: Search::new("today"), ..made(None, second) };
    assert_eq!(versions(&db, both).await, [2, 1]);
    // There is no such workflow, and there is one without such versions.
    let nobody = VersionFilter { search: Search::new("x"), ..clock::new_id().into() };
    assert!(db.version_list(nobody, ALL).await.unwrap().is_none());
    assert!(noted(&db, id, "nothing").await.is_empty());
    db.close().await;
}
