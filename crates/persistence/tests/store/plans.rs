//! How lists find their rows, in a store with enough of them that it matters: every filter with every other, in every
//! order, behind a cursor or not, and counted.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait as _, DbBackend};
use sluice_domain::run::RunStatus;
use sluice_engine::clock;
use sluice_persistence::{
    Between, ListQuery, Part, RunFilter, RunOrder, Search, VersionFilter, VersionOrder, WorkflowFilter,
    WorkflowOrder,
};
use uuid::Uuid;

use crate::support::{Place, on_both_stores};

on_both_stores!(no_list_looks_at_every_row);

const WORKFLOWS: usize = 2_000;
const RUNS: usize = 20_000;
/// The most rows that are sorted for a page: a twentieth of the runs.
const SORTED: u64 = 1_000;

/// Every choice of some of the things.
fn choices<T: Copy>(things: &[T]) -> Vec<Vec<T>> {
    (0_usize..1 << things.len())
        .map(|bits| (0..things.len()).filter(|n| bits >> n & 1 == 1).map(|n| things[n]).collect())
        .collect()
}

/// A list as it is asked for: what of, with which filters, how.
#[derive(Clone)]
struct Case {
    name: String,
    filters: Vec<&'static str>,
    query: ListQuery,
}

fn between() -> Between {
    let now = clock::now();
    Between { from: Some(now - chrono::Duration::seconds(9)), to: Some(now) }
}

fn search() -> Option<Search> {
    Search::new("w17 w3")
}

fn workflow_cases(id: Uuid) -> Vec<Case> {
    let mut cases = Vec::new();
    let orders = [
        WorkflowOrder::Created(None),
        WorkflowOrder::Created(Some(id)),
        WorkflowOrder::Name(None),
        WorkflowOrder::Name(Some("x".to_owned())),
        WorkflowOrder::Updated(None),
        WorkflowOrder::Updated(Some((clock::now(), id))),
    ];
    for filters in choices(&["q", "tag", "created", "updated"]) {
        let has = |name| filters.contains(&name);
        let filter = WorkflowFilter {
            search: search().filter(|_| has("q")),
            tag: has("tag").then(|| "t7".to_owned()),
            created: if has("created") { between() } else { Between::default() },
            updated: if has("updated") { between() } else { Between::default() },
        };
        for (order, ascending) in orders.iter().flat_map(|order| [(order, true), (order, false)]) {
            let part = Part { order: order.clone(), ascending, ..Part::default() };
            cases.push(Case {
                name: format!("workflows {filters:?} {order:?} {ascending}"),
                filters: filters.clone(),
                query: ListQuery::Workflows(filter.clone(), part),
            });
        }
    }
    cases
}

fn run_cases(id: Uuid) -> Vec<Case> {
    let mut cases = Vec::new();
    for filters in choices(&["workflow", "q", "tag", "status", "type", "start", "no parent", "paused"]) {
        let has = |name| filters.contains(&name);
        let start = if has("start") { between() } else { Between::default() };
        let filter = RunFilter {
            workflow_id: has("workflow").then_some(id),
            search: search().filter(|_| has("q")),
            tag: has("tag").then(|| "t7".to_owned()),
            status: has("status").then_some(RunStatus::Failed),
            run_type: has("type").then(|| "nightly".to_owned()),
            start_date: start.from,
            end_date: start.to,
            parent_only: has("no parent"),
            has_open_pause: has("paused").then_some(true),
            ..RunFilter::default()
        };
        // As they are asked for: the runs of one workflow aren't looked for by what all of them have.
        if has("workflow") && ["q", "tag", "no parent", "paused"].into_iter().any(has)
            || has("paused") && has("no parent")
        {
            continue;
        }
        for (order, ascending) in
            [RunOrder(None), RunOrder(Some(id))].into_iter().flat_map(|order| [(order, true), (order, false)])
        {
            cases.push(Case {
                name: format!("runs {filters:?} {order:?} {ascending}"),
                filters: filters.clone(),
                query: ListQuery::Runs(filter.clone(), Part { order, ascending, ..Part::default() }),
            });
        }
    }
    cases
}

fn other_cases(id: Uuid) -> Vec<Case> {
    let mut cases = Vec::new();
    for filters in choices(&["q", "created"]) {
        let has = |name| filters.contains(&name);
        let created = if has("created") { between() } else { Between::default() };
        let filter = VersionFilter { workflow_id: id, search: search().filter(|_| has("q")), created };
        for (order, ascending) in [VersionOrder(None), VersionOrder(Some(7))]
            .into_iter()
            .flat_map(|order| [(order, true), (order, false)])
        {
            cases.push(Case {
                name: format!("versions {filters:?} {order:?} {ascending}"),
                filters: [&filters[..], &["workflow"]].concat(),
                query: ListQuery::Versions(filter.clone(), Part { order, ascending, ..Part::default() }),
            });
        }
    }
    for (name, filter) in [
        ("batches", RunFilter { batches: true, ..RunFilter::default() }),
        ("rows of a batch", RunFilter { batch: Some((id, 0)), ..RunFilter::default() }),
        ("batches of a dataset", RunFilter { dataset_id: Some(id), batches: true, ..RunFilter::default() }),
    ] {
        let query = ListQuery::Runs(filter, Part::default());
        cases.push(Case { name: name.to_owned(), filters: vec![name], query });
    }
    cases
}

/// Puts workflows and runs in, behind the back of the store, and has it look at them. Gives the id of a workflow.
async fn fill(place: &Place) -> Uuid {
    let db = place.raw().await;
    let backend = db.get_database_backend();
    let uuid = |id: Uuid| match backend {
        DbBackend::Postgres => format!("'{id}'"),
        _ => format!("X'{}'", id.simple()),
    };
    let bytes = |text: &str| {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        if backend == DbBackend::Postgres { format!("'\\x{hex}'") } else { format!("X'{hex}'") }
    };
    let now = clock::now();
    let at = |second: usize| {
        let time = now - chrono::Duration::seconds(i64::try_from(second).unwrap());
        format!("'{}'", time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false))
    };
    let mut tables: [(&str, Vec<String>); 6] = [
        ("workflows (id, name, definition, created_at, updated_at, tags, version, has_words)", vec![]),
        ("workflow_tags (tag, workflow_id)", vec![]),
        ("workflow_words (word, workflow_id, is_of_name)", vec![]),
        (
            "workflow_versions (id, workflow_id, version, name, definition, definition_hash, created_at, updated_at)",
            vec![],
        ),
        ("version_words (workflow_id, word, version)", vec![]),
        (
            "runs (id, workflow_id, version_id, parent_run_id, run_type, status, start_time, has_open_pause)",
            vec![],
        ),
    ];
    let mut made = Vec::new();
    for n in 0..WORKFLOWS {
        let (id, when) = (clock::new_id(), at(WORKFLOWS - n));
        let shown = uuid(id);
        tables[0].1.push(format!("{shown}, 'W{n}', '{{}}', {when}, {when}, '[]', 1, TRUE"));
        tables[1].1.push(format!("'t{}', {shown}", n % 200));
        for k in 0..4 {
            let word = bytes(&format!("w{}", (n * 7 + k * 131) % 997));
            tables[2].1.push(format!("{word}, {shown}, TRUE"));
        }
        for version in 1..=if n == 7 { 500 } else { 2 } {
            let id = clock::new_id();
            tables[3].1.push(format!("{}, {shown}, {version}, 'W', '{{}}', 'h', {when}, {when}", uuid(id)));
            tables[4].1.push(format!("{shown}, {}, {version}", bytes(&format!("w{}", version % 97))));
            if version == 1 {
                made.push((shown.clone(), id));
            }
        }
        if n == 7 {
            tables[5].1.clear();
        }
    }
    for n in 0..RUNS {
        let (workflow, version) = &made[n * 31 % WORKFLOWS];
        let status = ["COMPLETED", "COMPLETED", "COMPLETED", "FAILED", "CANCELED"][n % 5];
        let run_type = ["interactive", "interactive", "nightly", "batch"][n % 4];
        let parent = if n % 3 == 0 { uuid(*version) } else { "NULL".to_owned() };
        let is_paused = n % 999 == 0;
        let status = if is_paused { "PAUSED" } else { status };
        tables[5].1.push(format!(
            "{}, {workflow}, {}, {parent}, '{run_type}', '{status}', {}, {is_paused}",
            uuid(clock::new_id()),
            uuid(*version),
            at(RUNS - n)
        ));
    }
    for (table, rows) in tables {
        for rows in rows.chunks(500) {
            let mut sql = format!("INSERT INTO {table} VALUES ");
            for (n, row) in rows.iter().enumerate() {
                write!(sql, "{}({row})", if n == 0 { "" } else { "," }).unwrap();
            }
            db.execute_unprepared(&sql).await.unwrap();
        }
    }
    db.execute_unprepared("ANALYZE").await.unwrap();
    db.close().await.unwrap();
    made[7].1
}

async fn no_list_looks_at_every_row(place: &Place) {
    place.open().await.close().await;
    fill(place).await;
    let db = place.open().await;
    let id = clock::new_id();
    for case in [workflow_cases(id), run_cases(id), other_cases(id)].concat() {
        println!("## {}\n   {}", case.name, db.plan(&case.query).await.unwrap().join("\n   "));
        println!("## count {}\n   {}", case.name, db.count_plan(&case.query).await.unwrap().join("\n   "));
        let _ = &case.filters;
    }
    db.close().await;
}
