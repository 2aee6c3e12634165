//! Workflows and versions.

use std::collections::HashSet;

use futures_util::future::join_all;
use sea_orm::ConnectionTrait as _;
use sluice_domain::{Definition, SpurType};
use sluice_engine::{CommitError, RunStore as _, StoreError, clock};
use sluice_persistence::{Database, PageNumber, Pin, SaveOptions, WorkflowFilter, WorkflowRow, WriteError};

use crate::support::{
    ALL, TestDatabase, completion_commit, definition, new_workflow, on_both_databases, start_commit,
};

on_both_databases!(
    creates_version_1,
    numbers_duplicate_names,
    concurrent_updates_number_versions_without_gaps,
    equal_hash_creates_no_version,
    reverting_creates_a_version,
    rejects_taken_names,
    copies_are_independent,
    delete_removes_versions_and_runs,
    reset_keeps_name_and_description,
    skips_unreadable_workflows,
    pages_workflows_and_finds_existing_ids,
);

fn any() -> WorkflowFilter {
    WorkflowFilter::default()
}

async fn all(db: &Database) -> Vec<WorkflowRow> {
    db.workflow_list(any(), ALL).await.unwrap().rows
}

async fn creates_version_1(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("Orders", "h1"), None).await.unwrap();
    assert_eq!(workflow.name, "Orders");
    assert_eq!(workflow.created_at, workflow.updated_at);
    assert_eq!(db.workflow_get(workflow.id).await.unwrap().unwrap(), workflow);
    let versions = db.version_list(workflow.id, ALL).await.unwrap().unwrap().rows;
    assert_eq!(versions.len(), 1);
    assert_eq!((versions[0].version, versions[0].name.as_str()), (1, "Orders"));
    assert_eq!(versions[0].definition, workflow.definition);
    assert_eq!(versions[0].definition_hash, "h1");
    assert_eq!(db.latest_version_id(workflow.id).await.unwrap(), Some(versions[0].id));
    assert_eq!(db.version_get(versions[0].id).await.unwrap().unwrap(), versions[0]);
    assert_eq!(db.version_definition(versions[0].id).await.unwrap().unwrap(), workflow.definition);
    let unknown_id = clock::new_id();
    assert!(db.workflow_get(unknown_id).await.unwrap().is_none());
    assert!(db.version_list(unknown_id, ALL).await.unwrap().is_none());
    assert!(db.version_get(unknown_id).await.unwrap().is_none());
    assert!(db.latest_version_id(unknown_id).await.unwrap().is_none());
    db.close().await;
}

async fn numbers_duplicate_names(database: &TestDatabase) {
    let db = database.open().await;
    let workflows = join_all((0..64).map(|_| db.workflow_create(new_workflow("Orders", "h"), None))).await;
    let names: HashSet<String> = workflows.into_iter().map(|workflow| workflow.unwrap().name).collect();
    assert_eq!(names.len(), 64);
    assert!(names.contains("Orders") && names.contains("Orders (2)") && names.contains("Orders (64)"));
    assert_eq!(database.count("workflow_versions").await, 64);
    db.close().await;
}

async fn concurrent_updates_number_versions_without_gaps(database: &TestDatabase) {
    let db = database.open().await;
    let id = db.workflow_create(new_workflow("Orders", "h"), None).await.unwrap().id;
    let saves = (0..64).map(|n| {
        db.workflow_update(id, new_workflow("Orders", &format!("h{n}")), SaveOptions::default(), None)
    });
    assert!(join_all(saves).await.iter().all(Result::is_ok));
    let versions = db.version_list(id, ALL).await.unwrap().unwrap().rows;
    let numbers: Vec<i32> = versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, (1..=65).rev().collect::<Vec<_>>());
    // The workflow and its latest version result from the same save.
    assert_eq!(db.workflow_get(id).await.unwrap().unwrap().definition, versions[0].definition);
    db.close().await;
}

async fn equal_hash_creates_no_version(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("Orders", "h1"), None).await.unwrap();
    let mut moved = new_workflow("Renamed", "h1");
    moved.definition = definition("h1", 99);
    let saved = db.workflow_update(workflow.id, moved, SaveOptions::default(), None).await.unwrap();
    assert_eq!((saved.name.as_str(), saved.created_at), ("Renamed", workflow.created_at));
    assert!(saved.updated_at > workflow.updated_at);
    assert_eq!(db.workflow_get(workflow.id).await.unwrap().unwrap(), saved);
    let versions = db.version_list(workflow.id, ALL).await.unwrap().unwrap().rows;
    assert_eq!(versions.len(), 1);
    assert_eq!(versions[0].definition, saved.definition);
    assert_eq!(versions[0].name, "Orders");
    assert_eq!((versions[0].created_at, versions[0].updated_at), (workflow.created_at, saved.updated_at));
    db.close().await;
}

async fn reverting_creates_a_version(database: &TestDatabase) {
    let db = database.open().await;
    let id = db.workflow_create(new_workflow("Orders", "h1"), None).await.unwrap().id;
    for hash in ["h2", "h1"] {
        db.workflow_update(id, new_workflow("Orders", hash), SaveOptions::default(), None).await.unwrap();
    }
    let versions = db.version_list(id, ALL).await.unwrap().unwrap().rows;
    let seen: Vec<_> = versions.iter().map(|v| (v.version, v.definition_hash.as_str())).collect();
    assert_eq!(seen, [(3, "h1"), (2, "h2"), (1, "h1")]);
    db.close().await;
}

async fn rejects_taken_names(database: &TestDatabase) {
    let db = database.open().await;
    let one = db.workflow_create(new_workflow("One", "h"), None).await.unwrap();
    let two = db.workflow_create(new_workflow("Two", "h"), None).await.unwrap();
    assert!(matches!(
        db.workflow_update(two.id, new_workflow("One", "h"), SaveOptions::default(), None).await,
        Err(WriteError::NameTaken)
    ));
    assert_eq!(db.workflow_get(two.id).await.unwrap().unwrap(), two);
    assert!(db.workflow_update(one.id, new_workflow("One", "h"), SaveOptions::default(), None).await.is_ok());
    let unknown_id = clock::new_id();
    assert!(matches!(
        db.workflow_update(unknown_id, new_workflow("X", "h"), SaveOptions::default(), None).await,
        Err(WriteError::NotFound)
    ));
    assert!(matches!(
        db.workflow_reset(unknown_id, SaveOptions::default(), None).await,
        Err(WriteError::NotFound)
    ));
    assert!(matches!(db.workflow_duplicate(unknown_id, Pin::Latest, None).await, Err(WriteError::NotFound)));
    assert!(matches!(
        db.workflow_delete(unknown_id, SaveOptions::default(), None).await,
        Err(WriteError::NotFound)
    ));
    // Rejected changes don't affect other changes of the same batch.
    let saves = (0..64).map(|n| {
        let name = if n % 2 == 0 { "One".to_owned() } else { format!("Two {n}") };
        db.workflow_update(two.id, new_workflow(&name, &format!("h{n}")), SaveOptions::default(), None)
    });
    let (saved, rejected): (Vec<_>, Vec<_>) = join_all(saves).await.into_iter().partition(Result::is_ok);
    assert_eq!((saved.len(), rejected.len()), (32, 32));
    db.close().await;
}

async fn copies_are_independent(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("Orders", "h1"), None).await.unwrap();
    db.workflow_update(workflow.id, new_workflow("Orders", "h2"), SaveOptions::default(), None)
        .await
        .unwrap();
    db.commit(start_commit(&db, &workflow).await).await.unwrap();
    let copy = db.workflow_duplicate(workflow.id, Pin::Latest, None).await.unwrap();
    let again = db.workflow_duplicate(workflow.id, Pin::Latest, None).await.unwrap();
    assert_eq!((copy.name.as_str(), again.name.as_str()), ("Orders (Copy)", "Orders (Copy) (2)"));
    assert_eq!(copy.description, workflow.description);
    assert_eq!(copy.definition, definition("h2", 0).json);
    let versions = db.version_list(copy.id, ALL).await.unwrap().unwrap().rows;
    assert_eq!(versions.len(), 1);
    assert_eq!((versions[0].version, versions[0].definition_hash.as_str()), (1, "h2"));
    assert!(db.unfinished_runs(copy.id).await.unwrap().is_empty());
    db.workflow_delete(workflow.id, SaveOptions::default(), None).await.unwrap();
    assert_eq!(db.workflow_get(copy.id).await.unwrap().unwrap(), copy);
    db.close().await;
}

async fn delete_removes_versions_and_runs(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("Orders", "h1"), None).await.unwrap();
    let first = start_commit(&db, &workflow).await;
    db.commit(first.clone()).await.unwrap();
    db.workflow_update(workflow.id, new_workflow("Orders", "h2"), SaveOptions::default(), None)
        .await
        .unwrap();
    db.commit(start_commit(&db, &workflow).await).await.unwrap();
    for (table, rows) in [("workflows", 1), ("workflow_versions", 2), ("runs", 2), ("run_log", 2)] {
        assert_eq!(database.count(table).await, rows, "{table}");
    }
    db.workflow_delete(workflow.id, SaveOptions::default(), None).await.unwrap();
    for table in ["workflows", "workflow_versions", "runs", "run_log"] {
        assert_eq!(database.count(table).await, 0, "{table}");
    }
    assert!(db.run(first.record.id).await.unwrap().is_none());
    let late = db.commit(completion_commit(&first.record, 1)).await;
    assert!(matches!(late, Err(CommitError::Gone)), "{late:?}");
    let new_one = db.commit(first).await;
    assert!(matches!(new_one, Err(CommitError::Gone)), "{new_one:?}");
    assert_eq!(database.count("runs").await, 0);
    db.close().await;
}

async fn reset_keeps_name_and_description(database: &TestDatabase) {
    let db = database.open().await;
    let workflow = db.workflow_create(new_workflow("Orders", "h1"), None).await.unwrap();
    let reset = db.workflow_reset(workflow.id, SaveOptions::default(), None).await.unwrap();
    assert_eq!((&reset.name, &reset.description), (&workflow.name, &workflow.description));
    let mut default = Definition::default_for(SpurType::Workflow);
    default.normalize();
    assert_eq!(reset.definition, default.to_json());
    assert_eq!(db.version_list(workflow.id, ALL).await.unwrap().unwrap().rows.len(), 2);
    db.close().await;
}

async fn skips_unreadable_workflows(database: &TestDatabase) {
    let db = database.open().await;
    let good = db.workflow_create(new_workflow("Good", "h"), None).await.unwrap();
    let raw = database.raw().await;
    let mut bad = Vec::new();
    for (n, json) in ["", "[]", "[[],[]]", "{\"nodes\":[]}", "{\"nodes\":{},\"links\":[]}"].iter().enumerate()
    {
        let workflow = db.workflow_create(new_workflow(&format!("Bad {n}"), "h"), None).await.unwrap();
        let sql = format!("UPDATE workflows SET definition = '{json}' WHERE name = 'Bad {n}'");
        raw.execute_unprepared(&sql).await.unwrap();
        bad.push(workflow.id);
    }
    if database.folder.is_some() {
        // Only SQLite accepts these values.
        db.workflow_create(new_workflow("Bad time", "h"), None).await.unwrap();
        db.workflow_create(new_workflow("Bad id", "h"), None).await.unwrap();
        let sql = "UPDATE workflows SET created_at = 'yesterday' WHERE name = 'Bad time';
                   PRAGMA foreign_keys = OFF; UPDATE workflows SET id = 'x' WHERE name = 'Bad id'";
        raw.execute_unprepared(sql).await.unwrap();
    }
    assert_eq!(all(&db).await, std::slice::from_ref(&good));
    let error = db.workflow_get(bad[0]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { table: "workflows", .. }), "{error:?}");
    // A save replaces the damaged definition.
    db.workflow_update(bad[0], new_workflow("Repaired", "h2"), SaveOptions::default(), None).await.unwrap();
    assert_eq!(all(&db).await.len(), 2);
    db.close().await;
}

async fn pages_workflows_and_finds_existing_ids(database: &TestDatabase) {
    let db = database.open().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(db.workflow_create(new_workflow(&format!("W{n}"), "h"), None).await.unwrap().id);
    }
    let mut seen = Vec::new();
    for number in 1..=4 {
        let page = db.workflow_list(any(), PageNumber { number, size: 2 }).await.unwrap().rows;
        seen.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(seen, ids.iter().rev().copied().collect::<Vec<_>>());
    let page = PageNumber { number: u64::MAX, size: u64::MAX };
    assert!(db.workflow_list(any(), page).await.unwrap().rows.is_empty());
    let queried = [ids[1], clock::new_id(), ids[3]];
    assert_eq!(db.existing_workflows(&queried).await.unwrap(), HashSet::from([ids[1], ids[3]]));
    assert!(db.existing_workflows(&[]).await.unwrap().is_empty());
    db.close().await;
}
