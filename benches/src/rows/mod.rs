//! The rows of the table.

mod cancel;
mod key_rejection;
mod slow_clients;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rusqlite::Connection as Sqlite;
use sluice_domain::Definition;
use sluice_domain::run::Plan;
use sluice_domain::validation::validate;
use sluice_nodes::NodeKinds;

use self::cancel::cancel;
use self::key_rejection::key_rejection;
use self::slow_clients::slow_clients;
use crate::args::{Args, Failure, GROUPS};
use crate::client::{UNIQUE, latency, load, request};
use crate::definitions;
use crate::process::Server;
use crate::site::Site;
use crate::table::{Row, Threshold, format_time, median};

/// Number of rounds of load, alternating between the subject and its baseline.
const ROUNDS: usize = 3;

pub(crate) fn measure(name: &str, args: &Args) -> Result<Vec<Row>, Failure> {
    match name {
        "start" => start(args),
        "get" => get(args).map(|row| vec![row]),
        "post" => post(args).map(|row| vec![row]),
        "run" => run(args).map(|row| vec![row]),
        "follow" => follow(args).map(|row| vec![row]),
        "fan" => fan(args).map(|row| vec![row]),
        "plan" => plan().map(|row| vec![row]),
        "slow_clients" => slow_clients(args).map(|row| vec![row]),
        "cancel" => cancel(args).map(|row| vec![row]),
        "keys" => key_rejection(args).map(|row| vec![row]),
        "paused" => paused_runs(args).map(|row| vec![row]),
        "lists" => lists(args),
        _ => Err(format!("unknown group {name}; use {}", GROUPS.join(", ")).into()),
    }
}

/// Throughput of a subject and of its baseline, in requests per second.
struct Throughput {
    subject: f64,
    baseline: f64,
    ratio: f64,
}

/// A request that is sent repeatedly to a server.
struct Target<'a> {
    server: SocketAddr,
    request: &'a [u8],
}

impl Throughput {
    fn measure(round: Duration, subject: &Target<'_>, baseline: &Target<'_>) -> Result<Self, Failure> {
        let warm_up = round / 4;
        load(subject.server, warm_up, subject.request)?;
        load(baseline.server, warm_up, baseline.request)?;
        let (mut subjects, mut baselines) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            subjects.push(load(subject.server, round, subject.request)?);
            baselines.push(load(baseline.server, round, baseline.request)?);
        }
        let ratios = subjects.iter().zip(&baselines).map(|(subject, baseline)| subject / baseline);
        let ratio = median(ratios.collect());
        Ok(Self { subject: median(subjects), baseline: median(baselines), ratio })
    }

    fn row(&self, work: &str, unit: &str, minimum: f64) -> Row {
        Row {
            work: work.to_owned(),
            figure: format!("{:.0} {unit}", self.subject),
            baseline: format!("{:.0} {unit}", self.baseline),
            ratio: self.ratio,
            threshold: Threshold::AtLeast(minimum),
        }
    }
}

fn get(args: &Args) -> Result<Row, Failure> {
    let site = Site::start(args, &definitions::twelve_nodes())?;
    let baseline = site.baseline()?;
    let subject_request = request("GET", &format!("/wf/{}/", site.workflow), "");
    let baseline_request = request("GET", &format!("/get/{}", site.workflow), "");
    let throughput = Throughput::measure(
        args.round(),
        &Target { server: site.server.address, request: &subject_request },
        &Target { server: baseline.server.address, request: &baseline_request },
    )?;
    Ok(throughput.row("GET /wf/{id}/, 12 nodes", "requests/s", 0.8))
}

fn post(args: &Args) -> Result<Row, Failure> {
    let site = Site::start(args, &definitions::twelve_nodes())?;
    let baseline = site.baseline()?;
    let mut body = definitions::twelve_nodes();
    // The name is unique for each request. The baseline also inserts unique names, but does not check them.
    body["name"] = UNIQUE.into();
    let subject_request = request("POST", "/wf/", &body.to_string());
    let baseline_request = request("POST", "/post", &body["definition"].to_string());
    let throughput = Throughput::measure(
        args.round(),
        &Target { server: site.server.address, request: &subject_request },
        &Target { server: baseline.server.address, request: &baseline_request },
    )?;
    Ok(throughput.row("POST /wf/, 12 nodes", "requests/s", 2.0))
}

fn run(args: &Args) -> Result<Row, Failure> {
    let site = Site::start(args, &definitions::twelve_nodes())?;
    let subject_request = site.run_request();
    site.server.connect()?.send(&subject_request)?;
    let baseline = site.baseline()?;
    let baseline_request = request("POST", "/run", &definitions::inputs());
    let throughput = Throughput::measure(
        args.round(),
        &Target { server: site.server.address, request: &subject_request },
        &Target { server: baseline.server.address, request: &baseline_request },
    )?;
    Ok(throughput.row("POST /wf/{id}/run/, 12 nodes", "runs/s", 0.6))
}

/// Measures the latency from the request to start a run to the event that ends it, for one client.
fn follow(args: &Args) -> Result<Row, Failure> {
    const RUNS: usize = 300;
    let site = Site::start(args, &definitions::twelve_nodes())?;
    let start = request("POST", &format!("/wf/{}/start_run/", site.workflow), &definitions::inputs());
    let file = Sqlite::open(site.folder.path().join("baseline.db"))?;
    file.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (x TEXT)")?;
    let mut commit = file.prepare("INSERT INTO t VALUES (?1)")?;
    let mut connection = site.server.connect()?;
    let (mut completed, mut committed) = (Vec::new(), Vec::new());
    for number in 0..RUNS {
        let begin = Instant::now();
        let run: serde_json::Value = serde_json::from_slice(connection.send(&start)?)?;
        let path = format!("/run/{}/events/", run["id"].as_str().ok_or("no id")?);
        site.server.connect()?.follow(&request("GET", &path, ""), b"event: run_completed")?;
        completed.push(begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        commit.execute([format!("row {number}")])?;
        committed.push(begin.elapsed().as_secs_f64());
    }
    let (completed, committed) = (median(completed), median(committed));
    Ok(Row {
        work: "start_run to COMPLETED received by SSE, one client, p50".to_owned(),
        figure: format_time(completed),
        baseline: format!("{} per commit", format_time(committed)),
        ratio: completed / committed,
        threshold: Threshold::AtMost(4.0),
    })
}

/// Measures the time per node in a wide run and in a small run.
fn fan(args: &Args) -> Result<Row, Failure> {
    const RUNS: usize = 1_000;
    let (wide, small) =
        (Site::start(args, &definitions::fan())?, Site::start(args, &definitions::twelve_nodes())?);
    let cost = |site: &Site, nodes: f64| -> Result<f64, Failure> {
        Ok(1.0 / (load(site.server.address, args.round(), &site.run_request())? * nodes))
    };
    let (mut wide_times, mut small_times, mut runs) = (Vec::new(), Vec::new(), 0.0);
    cost(&small, 12.0)?;
    while runs < RUNS as f64 || wide_times.len() < ROUNDS {
        wide_times.push(cost(&wide, 202.0)?);
        small_times.push(cost(&small, 12.0)?);
        runs += args.seconds / (wide_times[wide_times.len() - 1] * 202.0);
    }
    let ratio = median(wide_times.iter().zip(&small_times).map(|(wide, small)| wide / small).collect());
    Ok(Row {
        work: format!("{runs:.0} runs of a 200-wide fan-out, time per node"),
        figure: format_time(median(wide_times)),
        baseline: format!("{} in the 12-node run", format_time(median(small_times))),
        ratio,
        threshold: Threshold::AtMost(1.0),
    })
}

fn plan() -> Result<Row, Failure> {
    let time = |size: usize, repetitions: usize| -> Result<f64, Failure> {
        let text = definitions::layers(size)["definition"].to_string();
        let mut times = Vec::new();
        for _ in 0..repetitions {
            let begin = Instant::now();
            let definition: Definition = serde_json::from_str(&text)?;
            let kinds = NodeKinds::default();
            if let Some(error_diagnostic) = validate(&definition, &kinds).first() {
                return Err(format!("{error_diagnostic:?}").into());
            }
            let plan = Plan::build(&definition, &kinds).map_err(|error| error.to_string())?;
            times.push(begin.elapsed().as_secs_f64());
            drop(plan);
        }
        Ok(median(times))
    };
    let (small, large) = (time(1_000, 21)?, time(100_000, 7)?);
    Ok(Row {
        work: "parsing, validating and planning a DAG of 100,000 nodes".to_owned(),
        figure: format_time(large),
        baseline: format!("{} for 1,000", format_time(small)),
        ratio: large / small,
        threshold: Threshold::AtMost(150.0),
    })
}

/// Measures the latency of the first page of each list, with few and with many rows.
fn lists(args: &Args) -> Result<Vec<Row>, Failure> {
    const FEW: u64 = 1_000;
    let mut site = Site::start_paused(args)?;
    let paths = ["/wf/", "/run/", "/wf/paused_workflows/"];
    let mut measure = |rows: u64| -> Result<Vec<f64>, Failure> {
        site.restart_with(args, rows)?;
        let address = site.server.address;
        paths.iter().map(|path| latency(address, 300, &request("GET", path, ""))).collect()
    };
    let (few, many) = (measure(FEW)?, measure(args.rows)?);
    let rows = paths.iter().zip(few.iter().zip(&many)).map(|(path, (few, many))| Row {
        work: format!("first page of GET {path}, {} rows", args.rows),
        figure: format_time(*many),
        baseline: format!("{} with {FEW}", format_time(*few)),
        ratio: many / few,
        threshold: Threshold::AtMost(1.5),
    });
    Ok(rows.collect())
}

/// Measures the memory of a server with many paused runs.
fn paused_runs(args: &Args) -> Result<Row, Failure> {
    let mut site = Site::start_paused(args)?;
    site.restart_with(args, 1)?;
    let idle = site.server.resident()?;
    site.restart_with(args, args.paused)?;
    let loaded = site.server.resident()?;
    Ok(Row {
        work: format!("{} paused runs, MB more than the idle server", args.paused),
        figure: megabytes(loaded),
        baseline: megabytes(idle),
        ratio: (loaded - idle) / 1e6,
        threshold: Threshold::AtMost(10.0),
    })
}

fn start(args: &Args) -> Result<Vec<Row>, Failure> {
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let folder = tempfile::tempdir()?;
        let server = Server::sluice(&args.sluice, folder.path())?;
        times.push(server.startup.as_secs_f64() * 1e3);
        sizes.push(server.resident()?);
    }
    let (time, size) = (median(times), median(sizes));
    let row = |work: &str, figure: String, ratio: f64, maximum: f64| Row {
        work: work.to_owned(),
        figure,
        baseline: String::new(),
        ratio,
        threshold: Threshold::AtMost(maximum),
    };
    Ok(vec![
        row("start to the first response of /readyz, ms", format!("{time:.0} ms"), time, 100.0),
        row("resident memory after that, MB", megabytes(size), size / 1e6, 40.0),
    ])
}

fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}
