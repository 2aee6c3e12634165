//! Query plans of lists on large tables. Covers all combinations of filters, in every order, with and without a cursor,
//! and the queries that count the rows.

use std::fmt::Write as _;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use sea_orm::{ConnectionTrait as _, DbBackend};
use sluice_domain::run::RunStatus;
use sluice_engine::clock;
use sluice_persistence::{
    BatchRowRange, ListQuery, PageRequest, RunFilter, RunOrder, Search, TimeRange, VersionFilter,
    VersionOrder, WorkflowFilter, WorkflowOrder,
};
use uuid::Uuid;

use crate::support::{TestDatabase, on_both_databases};

on_both_databases!(lists_never_scan_tables);

const WORKFLOWS: usize = 10_000;
const RUNS: usize = 50_000;
/// Maximum number of rows that a query may sort for a page: 2% of the runs.
const MAX_SORTED_ROWS: u64 = 1_000;

/// Age of the oldest row, in days.
const DAYS: i64 = 1_000;

/// Returns the id and the time of creation of row `number` of `total` rows, which are spread evenly over [`DAYS`].
fn id_and_time(number: usize, total: usize) -> (Uuid, DateTime<Utc>) {
    let millionths = i64::try_from(number * 1_000_000 / total).unwrap();
    let time = clock::now() - Duration::days(DAYS)
        + Duration::days(DAYS) / 1_000_000 * i32::try_from(millionths).unwrap();
    let mut rest = [0; 10];
    rest[2..].copy_from_slice(&(number as u64).to_be_bytes());
    let millis = u64::try_from(time.timestamp_millis()).unwrap();
    (uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid(), time)
}

/// Returns all subsets.
fn subsets<T: Copy>(items: &[T]) -> Vec<Vec<T>> {
    (0_usize..1 << items.len())
        .map(|bits| (0..items.len()).filter(|n| bits >> n & 1 == 1).map(|n| items[n]).collect())
        .collect()
}

/// A query with the names of its filters.
#[derive(Clone)]
struct Case {
    name: String,
    filters: Vec<&'static str>,
    query: ListQuery,
}

fn time_range() -> TimeRange {
    let now = clock::now();
    TimeRange { from: Some(now - Duration::days(DAYS / 50)), to: Some(now - Duration::days(DAYS / 100)) }
}

fn search() -> Option<Search> {
    Search::new("w170 w30")
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
    for filters in subsets(&["q", "tag", "created", "updated"]) {
        let has = |name| filters.contains(&name);
        let filter = WorkflowFilter {
            search: search().filter(|_| has("q")),
            tag: has("tag").then(|| "t7".to_owned()),
            created: if has("created") { time_range() } else { TimeRange::default() },
            updated: if has("updated") { time_range() } else { TimeRange::default() },
        };
        for (order, ascending) in orders.iter().flat_map(|order| [(order, true), (order, false)]) {
            let page = PageRequest { order: order.clone(), ascending, ..PageRequest::default() };
            cases.push(Case {
                name: format!("workflows {filters:?} {order:?} {ascending}"),
                filters: filters.clone(),
                query: ListQuery::Workflows(filter.clone(), page),
            });
        }
    }
    cases
}

fn run_cases(id: Uuid) -> Vec<Case> {
    let mut cases = Vec::new();
    for filters in subsets(&["workflow", "q", "tag", "status", "type", "start", "no parent", "paused"]) {
        let has = |name| filters.contains(&name);
        let start = if has("start") { time_range() } else { TimeRange::default() };
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
        // Skips combinations that are not useful: the runs of one workflow have the same words and tags, for example.
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
                query: ListQuery::Runs(
                    filter.clone(),
                    PageRequest { order, ascending, ..PageRequest::default() },
                ),
            });
        }
    }
    cases
}

fn other_cases(id: Uuid) -> Vec<Case> {
    let mut cases = Vec::new();
    for filters in subsets(&["q", "created"]) {
        let has = |name| filters.contains(&name);
        let created = if has("created") { time_range() } else { TimeRange::default() };
        let filter = VersionFilter { workflow_id: id, search: search().filter(|_| has("q")), created };
        for (order, ascending) in [VersionOrder(None), VersionOrder(Some(7))]
            .into_iter()
            .flat_map(|order| [(order, true), (order, false)])
        {
            cases.push(Case {
                name: format!("versions {filters:?} {order:?} {ascending}"),
                filters: [&filters[..], &["workflow"]].concat(),
                query: ListQuery::Versions(
                    filter.clone(),
                    PageRequest { order, ascending, ..PageRequest::default() },
                ),
            });
        }
    }
    for (name, filter) in [
        ("batches", RunFilter { batches: true, ..RunFilter::default() }),
        (
            "rows of a batch",
            RunFilter { batch: Some(BatchRowRange { batch_id: id, first_row: 0 }), ..RunFilter::default() },
        ),
        ("batches of a dataset", RunFilter { dataset_id: Some(id), ..RunFilter::default() }),
    ] {
        let query = ListQuery::Runs(filter, PageRequest::default());
        cases.push(Case { name: name.to_owned(), filters: vec![name], query });
    }
    cases
}

/// Rows to insert, as SQL literals in the formats that the server uses.
struct TestData {
    is_postgres: bool,
    /// The rows of each table, in the order of insertion. The name of a table is followed by its columns.
    tables: [(&'static str, Vec<String>); 7],
}

const WORKFLOW: usize = 0;
const TAG: usize = 1;
const WORD: usize = 2;
const VERSION: usize = 3;
const VERSION_WORD: usize = 4;
const RUN: usize = 5;
const BATCH_ROW: usize = 6;

impl TestData {
    fn new(is_postgres: bool) -> Self {
        let tables = [
            "workflows (id, name, definition, created_at, updated_at, tags, version)",
            "workflow_tags (tag, workflow_id)",
            "workflow_words (word, workflow_id)",
            "workflow_versions (id, workflow_id, version, name, definition, definition_hash, created_at, updated_at)",
            "version_words (workflow_id, word, version)",
            "runs (id, workflow_id, version_id, parent_run_id, run_type, status, start_time, has_open_pause)",
            "batch_rows (run_id, row, inputs)",
        ];
        Self { is_postgres, tables: tables.map(|table| (table, Vec::new())) }
    }

    fn add(&mut self, table: usize, row: String) {
        self.tables[table].1.push(row);
    }

    fn uuid(&self, id: Uuid) -> String {
        if self.is_postgres { format!("'{id}'") } else { format!("X'{}'", id.simple()) }
    }

    fn bytes(&self, text: &str) -> String {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        if self.is_postgres { format!("'\\x{hex}'") } else { format!("X'{hex}'") }
    }

    /// Adds a workflow with two versions. Returns its id and the id of its first version.
    fn add_workflow(&mut self, n: usize) -> (Uuid, Uuid) {
        let (id, time) = id_and_time(n, WORKFLOWS);
        let (workflow, time, padding) = (self.uuid(id), time_literal(time), " ".repeat(500));
        self.add(WORKFLOW, format!("{workflow}, 'W{n}', '{{{padding}}}', {time}, {time}, '[]', 1"));
        self.add(TAG, format!("'t{}', {workflow}", n % 200));
        for k in 0..4 {
            let word = self.bytes(&format!("w{}", (n * 7 + k * 131) % 997));
            self.add(WORD, format!("{word}, {workflow}"));
        }
        let versions = [clock::new_id(), clock::new_id()];
        for (number, version) in versions.into_iter().enumerate() {
            let (version, word) = (self.uuid(version), self.bytes(&format!("w{}", n % 97)));
            self.add(VERSION, format!("{version}, {workflow}, {number}, 'W', '{{}}', 'h', {time}, {time}"));
            self.add(VERSION_WORD, format!("{workflow}, {word}, {number}"));
        }
        (id, versions[0])
    }

    fn add_run(&mut self, n: usize, (workflow, version): (Uuid, Uuid)) {
        let (id, time) = id_and_time(n, RUNS);
        let (id, workflow, version, time) =
            (self.uuid(id), self.uuid(workflow), self.uuid(version), time_literal(time));
        // The values in the filters are rare.
        let is_paused = n.is_multiple_of(999);
        let status = match n % 100 {
            _ if is_paused => "PAUSED",
            17 => "FAILED",
            _ => "COMPLETED",
        };
        let run_type = match n % 100 {
            23 => "nightly",
            42 => "batch",
            _ => "interactive",
        };
        if run_type == "batch" {
            (0..9).for_each(|row| self.add(BATCH_ROW, format!("{id}, {row}, '{{}}'")));
        }
        let parent = if n.is_multiple_of(10) { &version } else { "NULL" };
        let row =
            format!("{id}, {workflow}, {version}, {parent}, '{run_type}', '{status}', {time}, {is_paused}");
        self.add(RUN, row);
    }
}

fn time_literal(time: DateTime<Utc>) -> String {
    format!("'{}'", time.to_rfc3339_opts(SecondsFormat::AutoSi, false))
}

/// Inserts workflows and runs with SQL statements.
async fn fill(database: &TestDatabase) {
    let db = database.raw().await;
    let mut data = TestData::new(db.get_database_backend() == DbBackend::Postgres);
    let workflows: Vec<_> = (0..WORKFLOWS).map(|n| data.add_workflow(n)).collect();
    for n in 0..RUNS {
        data.add_run(n, workflows[n * 31 % WORKFLOWS]);
    }
    for (table, rows) in data.tables {
        for rows in rows.chunks(500) {
            let rows: Vec<String> = rows.iter().map(|row| format!("({row})")).collect();
            db.execute_unprepared(&format!("INSERT INTO {table} VALUES {}", rows.join(", "))).await.unwrap();
        }
    }
    db.close().await.unwrap();
}

/// Returns true if a step of a plan scans a whole table or index.
fn is_full_scan(step: &str) -> bool {
    // The index `runs_with_open_pause` contains few runs, so that it may be scanned.
    (step.contains("SCAN ") || step.contains("Seq Scan")) && !step.contains("runs_with_open_pause")
}

/// Returns the number of rows that a step sorts, if the plan states it.
fn sorted_rows(step: &str) -> Option<u64> {
    if step.contains("TEMP B-TREE FOR ") {
        return Some(0);
    }
    let (_, rows) = step.split_once("Sort  (cost=")?.1.split_once("rows=")?;
    rows.split(' ').next()?.parse().ok()
}

/// Returns true if the list has a filter on a rare value whose index has another order than the list. The few matches
/// may then be sorted.
fn needs_sort(case: &Case) -> bool {
    let has_other_order = |name: &&str| match &case.query {
        ListQuery::Workflows(_, page) => match page.order {
            WorkflowOrder::Created(_) => *name != "created",
            WorkflowOrder::Updated(_) => *name != "updated",
            WorkflowOrder::Name(_) => true,
        },
        ListQuery::Runs(..) => ["q", "tag"].contains(name),
        ListQuery::Versions(..) => *name != "workflow",
    };
    case.filters.iter().any(has_other_order)
}

/// Returns true if the plan of a page scans or sorts too much.
fn is_bad_page_plan(case: &Case, plan: &[String], is_postgres: bool) -> bool {
    let scans = plan.iter().any(|step| is_full_scan(step));
    let sorts: Vec<u64> = plan.iter().filter_map(|step| sorted_rows(step)).collect();
    // The plans of PostgreSQL contain an estimate of the sorted rows. With accurate statistics it chooses to sort a few
    // rows.
    let may_sort = match is_postgres {
        true => !case.filters.is_empty() && sorts.iter().all(|rows| *rows <= MAX_SORTED_ROWS),
        false => needs_sort(case),
    };
    // Without a filter, the index of the order is scanned until the page is full.
    let may_scan =
        case.filters.is_empty() && sorts.is_empty() && plan.iter().all(|step| !step.contains("Seq Scan"));
    scans && !may_scan || !sorts.is_empty() && !may_sort
}

/// Returns true if the plan of a count scans too much.
fn is_bad_count_plan(case: &Case, plan: &[String]) -> bool {
    // A filter that most rows match requires a scan.
    let matches_most_rows = case.filters.iter().all(|filter| *filter == "no parent");
    let scans = plan.iter().any(|step| is_full_scan(step));
    scans && !matches_most_rows
}

async fn check(database: &TestDatabase) {
    let db = database.open().await;
    let id = clock::new_id();
    let mut failures = String::new();
    for case in [workflow_cases(id), run_cases(id), other_cases(id)].concat() {
        let plan = db.explain_page(&case.query).await.unwrap();
        if is_bad_page_plan(&case, &plan, database.folder.is_none()) {
            writeln!(failures, "{}\n{}", case.name, plan.join("\n")).unwrap();
        }
        let plan = db.explain_count(&case.query).await.unwrap();
        if is_bad_count_plan(&case, &plan) {
            writeln!(failures, "counting {}\n{}", case.name, plan.join("\n")).unwrap();
        }
    }
    db.close().await;
    assert!(failures.is_empty(), "{failures}");
}

async fn lists_never_scan_tables(database: &TestDatabase) {
    database.open().await.close().await;
    fill(database).await;
    if database.folder.is_none() {
        // The server never collects statistics of SQLite. PostgreSQL collects them automatically, but later.
        let db = database.raw().await;
        db.execute_unprepared("ANALYZE").await.unwrap();
        db.close().await.unwrap();
    }
    check(database).await;
}
