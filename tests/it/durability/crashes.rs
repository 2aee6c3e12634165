//! Repeated kills under load: clients start runs of every shape and decide pauses while the server is killed
//! repeatedly. The test suite runs a short version, `make test-crash` a long one.
//!
//! `SLUICE_CRASH_KILLS` is the number of kills. `SLUICE_CRASH_SEED` repeats a run as far as scheduling allows;
//! the seed is printed.

#![expect(
    clippy::print_stdout,
    reason = "the seed is needed to repeat a failure, and the counts show the load"
)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::json::id_of;
use crate::support::polling::eventually;
use crate::support::run_log;

/// Number of kills in the short version.
const KILLS: u64 = 6;
const CLIENTS: usize = 6;
/// Runs accepted between two kills. Limited so that the last runs end in time.
const RUNS_PER_KILL: usize = 4;

/// Random numbers from a seed: SplitMix64 (Steele, Lea and Flood, 2014).
struct Dice(Cell<u64>);

impl Dice {
    fn roll(&self, sides: u64) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

fn env_number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.into_string().ok()?.parse().ok()
}

/// Everything that the server has confirmed to clients.
#[derive(Default)]
struct ConfirmedChanges {
    /// Label of each accepted run, by run id.
    runs: RefCell<BTreeMap<String, String>>,
    /// User whose decision was confirmed, by run id.
    decided: RefCell<HashMap<String, String>>,
    /// Maximum number of runs to start.
    run_limit: Cell<usize>,
}

/// Returns a Python node that appends a line to the ledger whenever it runs.
fn ledger_node(id: &str, ledger: &Path) -> Value {
    let mut node = slow(id);
    node["config"]["test_ledger"] = json!(ledger);
    node
}

fn shapes(ledger: &Path) -> Vec<Value> {
    let wide: Vec<String> = (0..20).map(|n| format!("f{n}")).collect();
    let fan_links = wide.iter().flat_map(|id| [link("input_node", id), link(id, "m")]).collect();
    let fan_nodes =
        wide.iter().map(|id| static_node(id, json!({"k": "v"}))).chain([input(), merge("m")]).collect();
    let conditions = vec![condition("input_node.x", "contains", json!("run"))];
    let router_nodes = vec![
        input(),
        router(&[("yes", conditions), ("no", Vec::new())]),
        static_node("a", json!({"k": "v"})),
    ];
    let loop_nodes = vec![
        input(),
        node("loop", "ForLoopNode", json!({"num_iterations": 3})),
        with_parent(node("loop_input", "InputNode", json!({})), "loop"),
        with_parent(python("step", "return {'out': 1}"), "loop"),
        with_parent(output_named("loop_output", json!({"n": "step.out"})), "loop"),
    ];
    let loop_links = [chain(&["input_node", "loop"]), chain(&["loop_input", "step", "loop_output"])].concat();
    let retry = json!({"retry": {"max_attempts": 3, "backoff_seconds": 0.05}});
    let mut retried = failing("p");
    retried["config"]["policy"] = retry;
    vec![
        plain("chain"),
        workflow("fan", fan_nodes, fan_links),
        workflow("router", router_nodes, vec![link("input_node", "r"), route("r", "a", "yes")]),
        workflow("loop", loop_nodes, loop_links),
        gated_workflow("gate"),
        after_input("failing", retried),
        workflow(
            "slow",
            vec![input(), ledger_node("s1", ledger), slow("s2")],
            chain(&["input_node", "s1", "s2"]),
        ),
        after_input("traced", ledger_node("s1", ledger)),
    ]
}

/// Runs a client that starts runs and decides pauses until the kills are over.
async fn client(
    base: &RefCell<String>,
    http: &Client,
    workflows: &[String],
    confirmed: &ConfirmedChanges,
    dice: &Dice,
    is_over: &Cell<bool>,
    client_number: usize,
) {
    let mut count = 0;
    while !is_over.get() {
        count += 1;
        tokio::time::sleep(Duration::from_millis(10 + dice.roll(60))).await;
        let url = base.borrow().clone();
        let call = async |path: String, body: Value| {
            let response = http.post(format!("{url}{path}")).json(&body).send().await.ok()?;
            let status = response.status().as_u16();
            assert!([200, 202, 400, 404, 424, 503].contains(&status), "{path}: {status}");
            let json = response.json::<Value>().await.ok()?;
            [200, 202].contains(&status).then_some(json)
        };
        if dice.roll(3) == 0 {
            let open = confirmed
                .runs
                .borrow()
                .keys()
                .nth(dice.roll(1 + confirmed.runs.borrow().len() as u64) as usize)
                .cloned();
            let Some(run) = open else { continue };
            let user = format!("client {client_number}, {count}");
            let action = ["APPROVE", "OVERRIDE", "DECLINE"][dice.roll(3) as usize];
            let decision = json!({"inputs": {"k": "v"}, "user_id": user, "action": action});
            if call(format!("/wf/process_pause_action/{run}/"), decision).await.is_some() {
                let before = confirmed.decided.borrow_mut().insert(run.clone(), user);
                assert_eq!(before, None, "{run}: its only pause was decided twice");
            }
        } else if confirmed.runs.borrow().len() < confirmed.run_limit.get() {
            let label = format!("run {client_number} {count}");
            let workflow = &workflows[dice.roll(workflows.len() as u64) as usize];
            if let Some(run) = call(format!("/wf/{workflow}/start_run/"), run_body(label.as_str())).await {
                confirmed.runs.borrow_mut().insert(id_of(&run), label);
            }
        }
    }
}

async fn kill_under_load(backend: Backend) {
    let kills = env_number("SLUICE_CRASH_KILLS").unwrap_or(KILLS);
    let seed = env_number("SLUICE_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("{backend:?}: {kills} kills, SLUICE_CRASH_SEED={seed}");
    let dice = Dice(Cell::new(seed));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ledger = folder.path().join("ledger");
    let mut app = App::start(backend).await;
    let mut workflows = Vec::new();
    for shape in shapes(&ledger) {
        workflows.push(app.create(&shape).await);
    }
    let http = Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().expect("a client");
    let (base, is_over, confirmed) =
        (RefCell::new(app.base().to_owned()), Cell::new(false), ConfirmedChanges::default());
    let clients = (0..CLIENTS)
        .map(|client_number| client(&base, &http, &workflows, &confirmed, &dice, &is_over, client_number));
    let killer = async {
        for _ in 0..kills {
            confirmed.run_limit.set(confirmed.run_limit.get() + RUNS_PER_KILL);
            tokio::time::sleep(Duration::from_millis(50 + dice.roll(400))).await;
            app.kill9().await;
            app.start_server().await;
            base.replace(app.base().to_owned());
        }
        is_over.set(true);
    };
    tokio::join!(join_all(clients), killer);
    let (runs, decided) = (confirmed.runs.into_inner(), confirmed.decided.into_inner());
    check(&app, &runs, &decided, &ledger, kills).await;
}

/// Checks that the server kept everything that it confirmed.
async fn check(
    app: &App,
    runs: &BTreeMap<String, String>,
    decided: &HashMap<String, String>,
    ledger: &Path,
    kills: u64,
) {
    println!("{} runs and {} decisions were accepted", runs.len(), decided.len());
    assert!(!runs.is_empty(), "no run was accepted: the test has no load");
    // Labels of the runs whose Python node completed.
    let mut completed = Vec::new();
    for (run, label) in runs {
        let run_now = eventually(&format!("{label} to end or to pause"), async || {
            let now = app.read_run(run).await;
            (now["status"] != "PENDING" && now["status"] != "RUNNING").then_some(now)
        })
        .await;
        let is_paused = run_now["status"] == "PAUSED";
        let log =
            if is_paused { run_log::of_paused(app, run).await } else { run_log::of_ended(app, run).await };
        run_log::check(run, &log);
        if let Some(user) = decided.get(run) {
            let history = app.get(&format!("/wf/pause_history/{run}/")).await.ok();
            assert_eq!(history[0]["resume_user_id"], *user, "{label}: {history:#}");
            assert!(!is_paused, "{label} is paused although its pause was decided");
        }
        let tasks = run_now["tasks"].as_array().expect("tasks");
        if tasks.iter().any(|task| task["node_id"] == "s1" && task["status"] == "COMPLETED") {
            completed.push(label);
        }
    }
    let mut executed: HashMap<&str, usize> = HashMap::new();
    let traces = std::fs::read_to_string(ledger).unwrap_or_default();
    for trace in traces.lines() {
        let trace: Value = serde_json::from_str(trace).unwrap_or_else(|error| panic!("{error}: {trace}"));
        let label = trace["input_node"]["x"].as_str().expect("a label").to_owned();
        let label = runs.values().find(|known| **known == label);
        *executed.entry(label.map_or("", String::as_str)).or_default() += 1;
    }
    let mut excess = 0;
    for label in completed {
        let times = executed.get(label.as_str()).copied().unwrap_or(0);
        assert!(times >= 1, "{label}: its Python node completed without having run");
        excess += times - 1;
    }
    if kills >= 100 {
        assert!(
            !decided.is_empty() && !executed.is_empty(),
            "no decision or no execution: the test has no load"
        );
    }
    println!("{excess} extra executions of nodes");
}

#[tokio::test]
async fn sqlite() {
    kill_under_load(Backend::Sqlite).await;
}

#[tokio::test]
async fn postgres() {
    kill_under_load(Backend::Postgres).await;
}
