//! Words: how they are written, whose they are, and that nothing is without them.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DbBackend};
use sluice_engine::clock;
use sluice_migration::Migrator;
use sluice_migration::migration::MigratorTrait as _;
use sluice_persistence::{Between, Database, NewWorkflow, Saving, Search, VersionFilter, WorkflowFilter};
use uuid::Uuid;

use crate::support::{ALL, Place, accepted, new, on_both_stores};

on_both_stores!(
    what_an_older_release_saved_is_found,
    letters_are_the_same_however_they_are_written,
    versions_are_found_by_words_and_times,
);

async fn names(db: &Database, filter: WorkflowFilter) -> Vec<String> {
    db.workflows(filter, ALL).await.unwrap().rows.into_iter().map(|row| row.name).collect()
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
    let found = db.versions(filter.clone(), ALL).await.unwrap().unwrap().rows;
    assert_eq!(db.version_count(filter).await.unwrap(), found.len() as u64);
    found.into_iter().map(|version| version.version).collect()
}

fn described(name: &str, description: &str, tags: &[&str]) -> NewWorkflow {
    let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    NewWorkflow { description: Some(description.to_owned()), tags, ..new(name, "h") }
}

/// A store of the release that knew no words, with workflows put in by hand.
async fn old_store(place: &Place, workflows: usize) -> Vec<Uuid> {
    if let Some(folder) = &place.folder {
        std::fs::write(folder.path().join("sluice.db"), "").unwrap();
    }
    let db = place.raw().await;
    Migrator::up(&db, Some(7)).await.unwrap();
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let shown = |id: Uuid| if is_postgres { format!("'{id}'") } else { format!("X'{}'", id.simple()) };
    let mut ids = Vec::new();
    for n in 0..workflows {
        let id = clock::new_id();
        let (own, version, tag) = (shown(id), shown(clock::new_id()), n % 2);
        let (json, at) = (r#"'{"nodes":[],"links":[]}'"#, "'2026-11-24T10:00:00+00:00'");
        let workflow = format!(
            "INSERT INTO workflows (id, name, description, definition, created_at, updated_at, tags, version) \
             VALUES ({own}, 'Old {n}', 'From CAFE\u{301} {n}', {json}, {at}, {at}, '[\"t{tag}\"]', 1)"
        );
        let version = format!(
            "INSERT INTO workflow_versions \
             (id, workflow_id, version, name, definition, definition_hash, created_at, updated_at, note) \
             VALUES ({version}, {own}, 1, 'Old', {json}, 'h', {at}, {at}, 'why {n}')"
        );
        for sql in [workflow, version] {
            db.execute_unprepared(&sql).await.unwrap();
        }
        ids.push(id);
    }
    db.close().await.unwrap();
    ids
}

async fn what_an_older_release_saved_is_found(place: &Place) {
    // More than is made up for at once.
    let ids = old_store(place, 120).await;
    let db = place.open().await;
    assert_eq!(found(&db, "café old").await.len(), 120);
    assert_eq!(found(&db, "caf 119").await, ["Old 119"]);
    assert_eq!(tagged(&db, "t1").await.len(), 60);
    assert_eq!((noted(&db, ids[7], "why").await, noted(&db, ids[7], "8").await), (vec![1], vec![]));
    assert_eq!((place.count("workflow_tags").await, place.count("workflow_words").await), (120, 120 * 4));
    db.close().await;

    // A start that came half through, and an older release that wrote in between.
    let raw = place.raw().await;
    let of = |n| format!("WHERE workflow_id = (SELECT id FROM workflows WHERE name = 'Old {n}')");
    for sql in [
        "UPDATE workflows SET has_words = FALSE WHERE name IN ('Old 5', 'Old 119')".to_owned(),
        format!("DELETE FROM workflow_words {}", of(5)),
        format!("UPDATE workflow_tags SET tag = 'x' {}", of(119)),
        // Nothing is done again for those that are done.
        format!("DELETE FROM workflow_words {}", of(6)),
    ] {
        raw.execute_unprepared(&sql).await.unwrap();
    }
    raw.close().await.unwrap();
    let db = place.open().await;
    assert_eq!(found(&db, "café").await.len(), 119);
    assert_eq!((tagged(&db, "t1").await.len(), tagged(&db, "x").await.len()), (60, 0));
    db.workflow_delete(ids[5], Saving::default(), None).await.unwrap();
    assert_eq!(place.count("version_words").await, 119 * 3);
    db.close().await;
}

#[tokio::test]
async fn an_old_workflow_that_cannot_be_read_stops_nothing() {
    let place = Place::sqlite();
    old_store(&place, 60).await;
    let raw = place.raw().await;
    for sql in [
        "UPDATE workflows SET name = X'ff00' WHERE name = 'Old 2'",
        "UPDATE workflows SET id = 'nobody' WHERE name = 'Old 3'",
        "UPDATE workflows SET tags = '{' WHERE name = 'Old 4'",
    ] {
        raw.execute_unprepared(&format!("PRAGMA foreign_keys = OFF; {sql}")).await.unwrap();
    }
    raw.close().await.unwrap();
    for _ in 0..2 {
        let db = place.open().await;
        assert_eq!((found(&db, "old").await.len(), tagged(&db, "t0").await.len()), (58, 28));
        db.close().await;
    }
}

async fn letters_are_the_same_however_they_are_written(place: &Place) {
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

async fn versions_are_found_by_words_and_times(place: &Place) {
    let db = place.open().await;
    let id = db.workflow_create(described("Orders", "of today", &[]), None).await.unwrap().id;
    let other = db.workflow_create(described("Orders too", "", &[]), None).await.unwrap().id;
    for (n, note) in ["fixes the gate", "a gate more"].into_iter().enumerate() {
        let saving = Saving { note: Some(note.to_owned()), ..Saving::default() };
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
    let second: Option<DateTime<Utc>> = Some(db.versions(id, ALL).await.unwrap().unwrap().rows[1].created_at);
    let made = |from, to| VersionFilter { created: Between { from, to }, ..id.into() };
    assert_eq!(versions(&db, made(second, second)).await, [2]);
    assert_eq!(versions(&db, made(second, None)).await, [3, 2]);
    let both = VersionFilter { search: Search::new("today"), ..made(None, second) };
    assert_eq!(versions(&db, both).await, [2, 1]);
    // There is no such workflow, and there is one without such versions.
    let nobody = VersionFilter { search: Search::new("x"), ..clock::new_id().into() };
    assert!(db.versions(nobody, ALL).await.unwrap().is_none());
    assert!(noted(&db, id, "nothing").await.is_empty());
    db.close().await;
}
