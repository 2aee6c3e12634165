//! Lists: filters, orders and pagination.

use sluice_engine::{RunStore as _, StoreError};
use sluice_persistence::{
    Database, NewWorkflow, PageNumber, PageRequest, RunFilter, RunOrder, SaveOptions, Search, TimeRange,
    ValidDefinition, VersionOrder, WorkflowDetails, WorkflowFilter, WorkflowOrder,
};
use uuid::Uuid;

use crate::support::{ALL, TestDatabase, new_workflow, on_both_databases, start_commit};

on_both_databases!(
    finds_workflows_by_words_and_tags,
    finds_runs_by_workflow,
    filters_workflows_by_time,
    pages_follow_each_other_in_every_order,
    indexes_the_first_words_of_long_descriptions,
    rejects_pages_that_are_too_large,
);

fn search(text: &str) -> Option<Search> {
    Some(Search::new(text).unwrap())
}

async fn names(db: &Database, filter: WorkflowFilter) -> Vec<String> {
    let rows = db.workflow_list(filter.clone(), ALL).await.unwrap().rows;
    assert_eq!(db.workflow_count(filter).await.unwrap(), rows.len() as u64);
    rows.into_iter().map(|row| row.name).collect()
}

async fn find_by_words(db: &Database, text: &str) -> Vec<String> {
    names(db, WorkflowFilter { search: search(text), ..WorkflowFilter::default() }).await
}

async fn find_by_tag(db: &Database, tag: &str) -> Vec<String> {
    names(db, WorkflowFilter { tag: Some(tag.to_owned()), ..WorkflowFilter::default() }).await
}

fn new_described(name: &str, description: &str, tags: &[&str]) -> NewWorkflow {
    let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    NewWorkflow { description: Some(description.to_owned()), tags, ..new_workflow(name, "h") }
}

async fn finds_workflows_by_words_and_tags(database: &TestDatabase) {
    let db = database.open().await;
    let orders = db
        .workflow_create(new_described("Order-Import v2", "Écoute the shop", &["shop", "a"]), None)
        .await
        .unwrap();
    db.workflow_create(new_described("Invoices", "what orders cost", &["shop"]), None).await.unwrap();
    db.workflow_create(new_described("Nothing", "", &[]), None).await.unwrap();

    assert_eq!(find_by_words(&db, "ORDER").await, ["Invoices", "Order-Import v2"]);
    assert_eq!(find_by_words(&db, "imp ord").await, ["Order-Import v2"]);
    assert_eq!(find_by_words(&db, "éc").await, ["Order-Import v2"]);
    assert_eq!(find_by_words(&db, "rder").await, Vec::<String>::new());
    assert_eq!(find_by_tag(&db, "shop").await, ["Invoices", "Order-Import v2"]);
    assert_eq!(find_by_tag(&db, "sho").await, Vec::<String>::new());
    let both =
        WorkflowFilter { search: search("cost"), tag: Some("shop".to_owned()), ..WorkflowFilter::default() };
    assert_eq!(names(&db, both).await, ["Invoices"]);

    // Changes of a workflow update the search index.
    let details = WorkflowDetails {
        name: Some("Zebra".to_owned()),
        tags: Some(vec!["b".to_owned()]),
        description: None,
    };
    db.workflow_patch(orders.id, details, SaveOptions::default(), None).await.unwrap();
    assert_eq!(find_by_words(&db, "order").await, ["Invoices"]);
    assert_eq!(
        (find_by_words(&db, "zeb").await, find_by_words(&db, "shop").await),
        (vec!["Zebra".to_owned()], vec!["Zebra".to_owned()])
    );
    assert_eq!(
        (find_by_tag(&db, "a").await, find_by_tag(&db, "b").await),
        (vec![], vec!["Zebra".to_owned()])
    );
    db.workflow_update(orders.id, new_described("Yak", "", &[]), SaveOptions::default(), None).await.unwrap();
    assert_eq!(
        (find_by_words(&db, "zebra").await, find_by_words(&db, "yak").await),
        (vec![], vec!["Yak".to_owned()])
    );
    assert!(find_by_tag(&db, "b").await.is_empty());

    // Copies are indexed too. Deletions remove the index entries.
    let copy = db.workflow_duplicate(orders.id, sluice_persistence::Pin::Latest, None).await.unwrap();
    assert_eq!(find_by_words(&db, "yak").await, ["Yak (Copy)", "Yak"]);
    for id in [copy.id, orders.id] {
        db.workflow_delete(id, SaveOptions::default(), None).await.unwrap();
    }
    assert!(find_by_words(&db, "yak").await.is_empty());
    assert_eq!((database.count("workflow_tags").await, database.count("workflow_words").await), (1, 5));
    db.close().await;
}

async fn indexes_the_first_words_of_long_descriptions(database: &TestDatabase) {
    let db = database.open().await;
    let long: String = (0..5_000).map(|n| format!("w{n} ")).collect();
    let all = (0..8).map(|n| db.workflow_create(new_described(&format!("Long {n}"), &long, &[]), None));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!((find_by_words(&db, "w0").await.len(), find_by_words(&db, "w4999").await.len()), (8, 0));
    assert_eq!(database.count("workflow_words").await, 8 * 200);
    db.close().await;
}

async fn rejects_pages_that_are_too_large(database: &TestDatabase) {
    let db = database.open().await;
    let large = |hash: &str| {
        let json = format!(r#"{{"nodes":[],"links":[],"x":"{hash}{}"}}"#, "x".repeat(33 << 20));
        NewWorkflow {
            definition: ValidDefinition { json, hash: hash.to_owned() },
            ..new_workflow("Large", "h")
        }
    };
    let first = db.workflow_create(large("1"), None).await.unwrap();
    assert_eq!(db.workflow_list(WorkflowFilter::default(), ALL).await.unwrap().rows.len(), 1);
    let second = NewWorkflow { name: "Large too".to_owned(), ..large("2") };
    db.workflow_create(second, None).await.unwrap();
    let all = db.workflow_list(WorkflowFilter::default(), ALL).await;
    assert!(matches!(all, Err(StoreError::PageTooLarge(_))), "two large workflows");
    db.workflow_update(first.id, large("3"), SaveOptions::default(), None).await.unwrap();
    let all = db.version_list(first.id, ALL).await;
    assert!(matches!(all, Err(StoreError::PageTooLarge(_))), "two large versions");
    let second_row = PageNumber { number: 2, size: 1 };
    assert_eq!(db.version_list(first.id, second_row).await.unwrap().unwrap().rows.len(), 1);
    assert_eq!(db.workflow_list(WorkflowFilter::default(), second_row).await.unwrap().rows.len(), 1);
    db.close().await;
}

async fn finds_runs_by_workflow(database: &TestDatabase) {
    let db = database.open().await;
    let one =
        db.workflow_create(new_described("Orders", "bills of the shop", &["shop"]), None).await.unwrap();
    let two = db.workflow_create(new_described("Bills", "orders", &[]), None).await.unwrap();
    for workflow in [&one, &two] {
        db.commit(start_commit(&db, workflow).await).await.unwrap();
    }
    for filter in [
        RunFilter { search: search("bills shop"), ..RunFilter::default() },
        RunFilter { tag: Some("shop".to_owned()), ..RunFilter::default() },
    ] {
        let runs = db.run_list(filter.clone(), ALL).await.unwrap().rows;
        assert_eq!(runs.iter().map(|run| run.record.workflow_id).collect::<Vec<_>>(), [one.id]);
        assert_eq!(db.run_count(filter).await.unwrap(), 1);
    }
    db.close().await;
}

async fn filters_workflows_by_time(database: &TestDatabase) {
    let db = database.open().await;
    let one = db.workflow_create(new_workflow("One", "h"), None).await.unwrap();
    let two = db.workflow_create(new_workflow("Two", "h"), None).await.unwrap();
    let saved = db
        .workflow_update(one.id, new_workflow("One again", "h"), SaveOptions::default(), None)
        .await
        .unwrap();
    let at = |time| TimeRange { from: Some(time), to: Some(time) };
    let created = WorkflowFilter { created: at(one.created_at), ..WorkflowFilter::default() };
    assert_eq!(names(&db, created).await, ["One again"]);
    let created = TimeRange { from: Some(two.created_at), to: None };
    let created = WorkflowFilter { created, ..WorkflowFilter::default() };
    assert_eq!(names(&db, created).await, ["Two"]);
    let updated = WorkflowFilter { updated: at(saved.updated_at), ..WorkflowFilter::default() };
    assert_eq!(names(&db, updated).await, ["One again"]);
    let updated = TimeRange { from: None, to: Some(one.updated_at) };
    let updated = WorkflowFilter { updated, ..WorkflowFilter::default() };
    assert!(names(&db, updated).await.is_empty());
    db.close().await;
}

/// Reads a list page by page and returns its rows. Each page begins after the cursor of the previous one.
macro_rules! read_all_pages {
    ($order:expr, $ascending:expr, |$request:ident| $read:expr) => {{
        let (mut rows, mut next) = (Vec::new(), Some($order));
        while let Some(order) = next.take() {
            let $request =
                PageRequest { page: PageNumber { number: 1, size: 3 }, order, ascending: $ascending };
            let page = $read;
            rows.extend(page.rows);
            next = page.next;
        }
        rows
    }};
}

async fn pages_follow_each_other_in_every_order(database: &TestDatabase) {
    let db = database.open().await;
    let mut all = Vec::new();
    for n in [4, 1, 3, 0, 5, 2] {
        all.push(db.workflow_create(new_workflow(&format!("W{n}"), "h"), None).await.unwrap());
    }
    // The saves share a transaction, so that some of them may have the same time.
    let saves = [3, 0, 4].map(|n: usize| {
        db.workflow_update(all[n].id, new_workflow(&all[n].name, "h2"), SaveOptions::default(), None)
    });
    futures_util::future::join_all(saves).await;
    let all = db.workflow_list(WorkflowFilter::default(), ALL).await.unwrap().rows;
    for order in [WorkflowOrder::Created(None), WorkflowOrder::Name(None), WorkflowOrder::Updated(None)] {
        let mut expected = all.clone();
        expected.sort_by_key(|row| match order {
            WorkflowOrder::Created(_) => (String::new(), row.id),
            WorkflowOrder::Name(_) => (row.name.clone(), row.id),
            WorkflowOrder::Updated(_) => (row.updated_at.timestamp_micros().to_string(), row.id),
        });
        for ascending in [true, false] {
            let rows = read_all_pages!(order.clone(), ascending, |request| db
                .workflow_list(WorkflowFilter::default(), request)
                .await
                .unwrap());
            assert_eq!(rows, expected, "{order:?} {ascending}");
            expected.reverse();
        }
    }
    check_pages_of_versions_and_runs(&db, all[0].id).await;
    db.close().await;
}

async fn check_pages_of_versions_and_runs(db: &Database, id: Uuid) {
    for n in 0..7 {
        let workflow = db
            .workflow_update(id, new_workflow("W", &format!("v{n}")), SaveOptions::default(), None)
            .await
            .unwrap();
        db.commit(start_commit(db, &workflow).await).await.unwrap();
    }
    for ascending in [true, false] {
        let versions = read_all_pages!(VersionOrder(None), ascending, |request| db
            .version_list(id, request)
            .await
            .unwrap()
            .unwrap());
        let numbers: Vec<i32> = versions.iter().map(|version| version.version).collect();
        let filter = RunFilter { workflow_id: Some(id), ..RunFilter::default() };
        let runs = read_all_pages!(RunOrder(None), ascending, |request| db
            .run_list(filter.clone(), request)
            .await
            .unwrap());
        assert_eq!(u64::try_from(numbers.len()).unwrap(), db.version_count(id).await.unwrap());
        assert_eq!(runs.len(), 7);
        assert!(numbers.is_sorted_by(|a, b| (a < b) == ascending), "{numbers:?}");
        assert!(runs.is_sorted_by(|a, b| (a.record.id < b.record.id) == ascending));
    }
}
