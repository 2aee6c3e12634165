//! Query plans of lists on large tables: every combination of filters, in every order, with and without a cursor, and
//! counted.

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

use crate::support::{Place, on_both_stores};

on_both_stores!(lists_never_scan_tables);

const WORKFLOWS: usize = 10_000;
const RUNS: usize = 50_000;
/// The most rows that are sorted for a page: a twentieth of the runs.
const SORTED: u64 = 1_000;

/// Age of the oldest row, in days.
const DAYS: i64 = 1_000;

/// The id and the time of one of `all`, made one after the other.
fn id_and_time(number: usize, all: usize) -> (Uuid, DateTime<Utc>) {
    let share = i64::try_from(number * 1_000_000 / all).unwrap();
    let time = clock::now() - Duration::days(DAYS)
        + Duration::days(DAYS) / 1_000_000 * i32::try_from(share).unwrap();
    let mut rest = [0; 10];
    rest[2..].copy_from_slice(&(number as u64).to_be_bytes());
    let millis = u64::try_from(time.timestamp_millis()).unwrap();
    (uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid(), time)
}

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

fn between() -> TimeRange {
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
    for filters in choices(&["q", "tag", "created", "updated"]) {
        let has = |name| filters.contains(&name);
        let filter = WorkflowFilter {
            search: search().filter(|_| has("q")),
            tag: has("tag").then(|| "t7".to_owned()),
            created: if has("created") { between() } else { TimeRange::default() },
            updated: if has("updated") { between() } else { TimeRange::default() },
        };
        for (order, ascending) in orders.iter().flat_map(|order| [(order, true), (order, false)]) {
            let part = PageRequest { order: order.clone(), ascending, ..PageRequest::default() };
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
        let start = if has("start") { between() } else { TimeRange::default() };
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
    for filters in choices(&["q", "created"]) {
        let has = |name| filters.contains(&name);
        let created = if has("created") { between() } else { TimeRange::default() };
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

/// Rows to be put in, written as the store writes them.
struct Filling {
    is_postgres: bool,
    /// By their table and its columns, in the order in which they can be put in.
    tables: [(&'static str, Vec<String>); 7],
}

const WORKFLOW: usize = 0;
const TAG: usize = 1;
const WORD: usize = 2;
const VERSION: usize = 3;
const VERSION_WORD: usize = 4;
const RUN: usize = 5;
const BATCH_ROW: usize = 6;

impl Filling {
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

    /// Gives its id and that of its first version.
    fn add_workflow(&mut self, n: usize) -> (Uuid, Uuid) {
        let (id, when) = id_and_time(n, WORKFLOWS);
        let (own, when, long) = (self.uuid(id), shown(when), " ".repeat(500));
        self.add(WORKFLOW, format!("{own}, 'W{n}', '{{{long}}}', {when}, {when}, '[]', 1"));
        self.add(TAG, format!("'t{}', {own}", n % 200));
        for k in 0..4 {
            let word = self.bytes(&format!("w{}", (n * 7 + k * 131) % 997));
            self.add(WORD, format!("{word}, {own}"));
        }
        let versions = [clock::new_id(), clock::new_id()];
        for (number, version) in versions.into_iter().enumerate() {
            let (version, word) = (self.uuid(version), self.bytes(&format!("w{}", n % 97)));
            self.add(VERSION, format!("{version}, {own}, {number}, 'W', '{{}}', 'h', {when}, {when}"));
            self.add(VERSION_WORD, format!("{own}, {word}, {number}"));
        }
        (id, versions[0])
    }

    fn add_run(&mut self, n: usize, (workflow, version): (Uuid, Uuid)) {
        let (id, when) = id_and_time(n, RUNS);
        let (id, workflow, version, when) =
            (self.uuid(id), self.uuid(workflow), self.uuid(version), shown(when));
        // What is looked for is rare.
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
            format!("{id}, {workflow}, {version}, {parent}, '{run_type}', '{status}', {when}, {is_paused}");
        self.add(RUN, row);
    }
}

fn shown(time: DateTime<Utc>) -> String {
    format!("'{}'", time.to_rfc3339_opts(SecondsFormat::AutoSi, false))
}

/// Puts workflows and runs in, behind the back of the store.
async fn fill(place: &Place) {
    let db = place.raw().await;
    let mut filling = Filling::new(db.get_database_backend() == DbBackend::Postgres);
    let workflows: Vec<_> = (0..WORKFLOWS).map(|n| filling.add_workflow(n)).collect();
    for n in 0..RUNS {
        filling.add_run(n, workflows[n * 31 % WORKFLOWS]);
    }
    for (table, rows) in filling.tables {
        for rows in rows.chunks(500) {
            let rows: Vec<String> = rows.iter().map(|row| format!("({row})")).collect();
            db.execute_unprepared(&format!("INSERT INTO {table} VALUES {}", rows.join(", "))).await.unwrap();
        }
    }
    db.close().await.unwrap();
}

/// True if a step of a plan scans a whole table or index.
fn looks_at_all(step: &str) -> bool {
    // That index has only the runs that wait.
    (step.contains("SCAN ") || step.contains("Seq Scan")) && !step.contains("runs_with_open_pause")
}

/// Number of rows that a step sorts, if the plan states it.
fn sorted(step: &str) -> Option<u64> {
    if step.contains("TEMP B-TREE FOR ") {
        return Some(0);
    }
    let (_, rows) = step.split_once("Sort  (cost=")?.1.split_once("rows=")?;
    rows.split(' ').next()?.parse().ok()
}

/// True for a filter on a rare value whose index has another order than the list. The few matches are then sorted.
fn is_found_out_of_order(case: &Case) -> bool {
    let by = |name: &&str| match &case.query {
        ListQuery::Workflows(_, part) => match part.order {
            WorkflowOrder::Created(_) => *name != "created",
            WorkflowOrder::Updated(_) => *name != "updated",
            WorkflowOrder::Name(_) => true,
        },
        ListQuery::Runs(..) => ["q", "tag"].contains(name),
        ListQuery::Versions(..) => *name != "workflow",
    };
    case.filters.iter().any(by)
}

/// True if the plan of a page scans or sorts too much.
fn page_is_bad(case: &Case, plan: &[String], is_postgres: bool) -> bool {
    let looks = plan.iter().any(|step| looks_at_all(step));
    let sorts: Vec<u64> = plan.iter().filter_map(|step| sorted(step)).collect();
    // PostgreSQL says how many rows it is about to sort, and with figures so near to the truth sorts a few of any kind.
    let may_sort = match is_postgres {
        true => !case.filters.is_empty() && sorts.iter().all(|rows| *rows <= SORTED),
        false => is_found_out_of_order(case),
    };
    // Without a filter an index goes through all rows in their order, until the page is full.
    let may_look =
        case.filters.is_empty() && sorts.is_empty() && plan.iter().all(|step| !step.contains("Seq Scan"));
    looks && !may_look || !sorts.is_empty() && !may_sort
}

/// True if the plan of a count scans too much.
fn count_is_bad(case: &Case, plan: &[String]) -> bool {
    // What most rows fit is counted by looking at all of them.
    let is_most = case.filters.iter().all(|filter| *filter == "no parent");
    let looks = plan.iter().any(|step| looks_at_all(step));
    looks && !is_most
}

async fn check(place: &Place) {
    let db = place.open().await;
    let id = clock::new_id();
    let mut bad = String::new();
    for case in [workflow_cases(id), run_cases(id), other_cases(id)].concat() {
        let plan = db.explain_page(&case.query).await.unwrap();
        if page_is_bad(&case, &plan, place.folder.is_none()) {
            writeln!(bad, "{}\n{}", case.name, plan.join("\n")).unwrap();
        }
        let plan = db.explain_count(&case.query).await.unwrap();
        if count_is_bad(&case, &plan) {
            writeln!(bad, "counting {}\n{}", case.name, plan.join("\n")).unwrap();
        }
    }
    db.close().await;
    assert!(bad.is_empty(), "{bad}");
}

async fn lists_never_scan_tables(place: &Place) {
    place.open().await.close().await;
    fill(place).await;
    if place.folder.is_none() {
        // SQLite never has statistics. PostgreSQL collects them by itself, but later.
        let db = place.raw().await;
        db.execute_unprepared("ANALYZE").await.unwrap();
        db.close().await.unwrap();
    }
    check(place).await;
}
