//! Lists: what they find, and where their parts begin.

use sluice_engine::{RunStore as _, StoreError};
use sluice_persistence::{
    Database, NewWorkflow, PageNumber, PageRequest, RunFilter, RunOrder, SaveOptions, Search, TimeRange,
    ValidDefinition, VersionOrder, WorkflowDetails, WorkflowFilter, WorkflowOrder,
};
use uuid::Uuid;

use crate::support::{ALL, Place, new, on_both_stores, start};

on_both_stores!(
    workflows_are_found_by_words_and_tags,
    runs_are_found_by_their_workflow,
    filters_workflows_by_time,
    pages_follow_each_other_in_every_order,
    a_long_description_is_found_by_its_first_words,
    a_part_is_not_too_large,
);

fn search(text: &str) -> Option<Search> {
    Some(Search::new(text).unwrap())
}

async fn names(db: &Database, filter: WorkflowFilter) -> Vec<String> {
    let found = db.workflow_list(filter.clone(), ALL).await.unwrap().rows;
    assert_eq!(db.workflow_count(filter).await.unwrap(), found.len() as u64);
    found.into_iter().map(|row| row.name).collect()
}

async fn found(db: &Database, text: &str) -> Vec<String> {
    names(db, WorkflowFilter { search: search(text), ..WorkflowFilter::default() }).await
}

async fn tagged(db: &Database, tag: &str) -> Vec<String> {
    names(db, WorkflowFilter { tag: Some(tag.to_owned()), ..WorkflowFilter::default() }).await
}

fn described(name: &str, description: &str, tags: &[&str]) -> NewWorkflow {
    let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    NewWorkflow { description: Some(description.to_owned()), tags, ..new(name, "h") }
}

async fn workflows_are_found_by_words_and_tags(place: &Place) {
    let db = place.open().await;
    let orders = db
        .workflow_create(described("Order-Import v2", "Écoute the shop", &["shop", "a"]), None)
        .await
        .unwrap();
    db.workflow_create(described("Invoices", "what orders cost", &["shop"]), None).await.unwrap();
    db.workflow_create(described("Nothing", "", &[]), None).await.unwrap();

    assert_eq!(found(&db, "ORDER").await, ["Invoices", "Order-Import v2"]);
    assert_eq!(found(&db, "imp ord").await, ["Order-Import v2"]);
    assert_eq!(found(&db, "éc").await, ["Order-Import v2"]);
    assert_eq!(found(&db, "rder").await, Vec::<String>::new());
    assert_eq!(tagged(&db, "shop").await, ["Invoices", "Order-Import v2"]);
    assert_eq!(tagged(&db, "sho").await, Vec::<String>::new());
    let both =
        WorkflowFilter { search: search("cost"), tag: Some("shop".to_owned()), ..WorkflowFilter::default() };
    assert_eq!(names(&db, both).await, ["Invoices"]);

    // What is said about a workflow changes, and so does what it is found by.
    let renamed = WorkflowDetails {
        name: Some("Zebra".to_owned()),
        tags: Some(vec!["b".to_owned()]),
        description: None,
    };
    db.workflow_patch(orders.id, renamed, SaveOptions::default(), None).await.unwrap();
    assert_eq!(found(&db, "order").await, ["Invoices"]);
    assert_eq!(
        (found(&db, "zeb").await, found(&db, "shop").await),
        (vec!["Zebra".to_owned()], vec!["Zebra".to_owned()])
    );
    assert_eq!((tagged(&db, "a").await, tagged(&db, "b").await), (vec![], vec!["Zebra".to_owned()]));
    db.workflow_update(orders.id, described("Yak", "", &[]), SaveOptions::default(), None).await.unwrap();
    assert_eq!((found(&db, "zebra").await, found(&db, "yak").await), (vec![], vec!["Yak".to_owned()]));
    assert!(tagged(&db, "b").await.is_empty());

    // A copy is found as well; what is deleted leaves nothing.
    let copy = db.workflow_duplicate(orders.id, sluice_persistence::Pin::Latest, None).await.unwrap();
    assert_eq!(found(&db, "yak").await, ["Yak (Copy)", "Yak"]);
    for id in [copy.id, orders.id] {
        db.workflow_delete(id, SaveOptions::default(), None).await.unwrap();
    }
    assert!(found(&db, "yak").await.is_empty());
    assert_eq!((place.count("workflow_tags").await, place.count("workflow_words").await), (1, 5));
    db.close().await;
}

async fn a_long_description_is_found_by_its_first_words(place: &Place) {
    let db = place.open().await;
    let long: String = (0..5_000).map(|n| format!("w{n} ")).collect();
    let all = (0..8).map(|n| db.workflow_create(described(&format!("Long {n}"), &long, &[]), None));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!((found(&db, "w0").await.len(), found(&db, "w4999").await.len()), (8, 0));
    assert_eq!(place.count("workflow_words").await, 8 * 200);
    db.close().await;
}

async fn a_part_is_not_too_large(place: &Place) {
    let db = place.open().await;
    let large = |hash: &str| {
        let json = format!(r#"{{"nodes":[],"links":[],"x":"{hash}{}"}}"#, "x".repeat(33 << 20));
        NewWorkflow { definition: ValidDefinition { json, hash: hash.to_owned() }, ..new("Large", "h") }
    };
    let first = db.workflow_create(large("1"), None).await.unwrap();
    assert_eq!(db.workflow_list(WorkflowFilter::default(), ALL).await.unwrap().rows.len(), 1);
    let second = NewWorkflow { name: "Large too".to_owned(), ..large("2") };
    db.workflow_create(second, None).await.unwrap();
    let all = db.workflow_list(WorkflowFilter::default(), ALL).await;
    assert!(matches!(all, Err(StoreError::PageTooLarge(_))), "both do not fit");
    db.workflow_update(first.id, large("3"), SaveOptions::default(), None).await.unwrap();
    let all = db.version_list(first.id, ALL).await;
    assert!(matches!(all, Err(StoreError::PageTooLarge(_))), "both do not fit");
    let one = PageNumber { number: 2, size: 1 };
    assert_eq!(db.version_list(first.id, one).await.unwrap().unwrap().rows.len(), 1);
    assert_eq!(db.workflow_list(WorkflowFilter::default(), one).await.unwrap().rows.len(), 1);
    db.close().await;
}

async fn runs_are_found_by_their_workflow(place: &Place) {
    let db = place.open().await;
    let one = db.workflow_create(described("Orders", "bills of the shop", &["shop"]), None).await.unwrap();
    let two = db.workflow_create(described("Bills", "orders", &[]), None).await.unwrap();
    for workflow in [&one, &two] {
        db.commit(start(&db, workflow).await).await.unwrap();
    }
    for filter in [
        RunFilter { search: search("bills shop"), ..RunFilter::default() },
        RunFilter { tag: Some("shop".to_owned()), ..RunFilter::default() },
    ] {
        let found = db.run_list(filter.clone(), ALL).await.unwrap().rows;
        assert_eq!(found.iter().map(|run| run.record.workflow_id).collect::<Vec<_>>(), [one.id]);
        assert_eq!(db.run_count(filter).await.unwrap(), 1);
    }
    db.close().await;
}

async fn filters_workflows_by_time(place: &Place) {
    let db = place.open().await;
    let one = db.workflow_create(new("One", "h"), None).await.unwrap();
    let two = db.workflow_create(new("Two", "h"), None).await.unwrap();
    let saved =
        db.workflow_update(one.id, new("One again", "h"), SaveOptions::default(), None).await.unwrap();
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

/// Every row of the parts, one after the other, each behind the one before.
macro_rules! walk {
    ($order:expr, $ascending:expr, |$part:ident| $read:expr) => {{
        let (mut rows, mut order) = (Vec::new(), Some($order));
        while let Some(behind) = order.take() {
            let $part =
                PageRequest { page: PageNumber { number: 1, size: 3 }, order: behind, ascending: $ascending };
            let listed = $read;
            rows.extend(listed.rows);
            order = listed.next;
        }
        rows
    }};
}

async fn pages_follow_each_other_in_every_order(place: &Place) {
    let db = place.open().await;
    let mut all = Vec::new();
    for n in [4, 1, 3, 0, 5, 2] {
        all.push(db.workflow_create(new(&format!("W{n}"), "h"), None).await.unwrap());
    }
    // Saved in one group, so that some may have the same time.
    let saves = [3, 0, 4]
        .map(|n: usize| db.workflow_update(all[n].id, new(&all[n].name, "h2"), SaveOptions::default(), None));
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
            let any = WorkflowFilter::default;
            let found = walk!(order.clone(), ascending, |part| db.workflow_list(any(), part).await.unwrap());
            assert_eq!(found, expected, "{order:?} {ascending}");
            expected.reverse();
        }
    }
    check_pages_of_versions_and_runs(&db, all[0].id).await;
    db.close().await;
}

async fn check_pages_of_versions_and_runs(db: &Database, id: Uuid) {
    for n in 0..7 {
        let workflow =
            db.workflow_update(id, new("W", &format!("v{n}")), SaveOptions::default(), None).await.unwrap();
        db.commit(start(db, &workflow).await).await.unwrap();
    }
    for ascending in [true, false] {
        let versions =
            walk!(VersionOrder(None), ascending, |part| db.version_list(id, part).await.unwrap().unwrap());
        let numbers: Vec<i32> = versions.iter().map(|version| version.version).collect();
        let filter = RunFilter { workflow_id: Some(id), ..RunFilter::default() };
        let runs = walk!(RunOrder(None), ascending, |part| db.run_list(filter.clone(), part).await.unwrap());
        assert_eq!(u64::try_from(numbers.len()).unwrap(), db.version_count(id).await.unwrap());
        assert_eq!(runs.len(), 7);
        assert!(numbers.is_sorted_by(|a, b| (a < b) == ascending), "{numbers:?}");
        assert!(runs.is_sorted_by(|a, b| (a.record.id < b.record.id) == ascending));
    }
}
