//! What is measured.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rusqlite::Connection as Sqlite;
use sluice_domain::Definition;
use sluice_domain::run::Plan;
use sluice_domain::validation::validate;
use sluice_nodes::NodeKinds;
use tempfile::TempDir;

use crate::client::{UNIQUE, latency, load, request};
use crate::keys::keys;
use crate::process::{Server, database};
use crate::rude::{cancel, rude};
use crate::table::{Bar, Row, median, micros};
use crate::{Args, Failure, fill, graphs};

/// The groups of rows, in the order of the table.
pub(crate) const NAMES: [&str; 12] =
    ["start", "get", "post", "run", "follow", "fan", "plan", "rude", "cancel", "keys", "paused", "lists"];

/// How often load is alternated between a subject and its floor.
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
        "rude" => rude(args).map(|row| vec![row]),
        "cancel" => cancel(args).map(|row| vec![row]),
        "keys" => keys(args).map(|row| vec![row]),
        "paused" => paused(args).map(|row| vec![row]),
        "lists" => lists(args),
        _ => Err(format!("there is no group {name}: {}", NAMES.join(", ")).into()),
    }
}

/// A server on a folder of its own, and a workflow on it.
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) workflow: String,
    folder: TempDir,
}

impl Place {
    pub(crate) fn new(args: &Args, definition: &serde_json::Value) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let server = Server::sluice(&args.sluice, folder.path())?;
        let saved = server.connect()?.json("POST", "/wf/", &definition.to_string())?;
        let workflow = saved["id"].as_str().ok_or("no id")?.to_owned();
        Ok(Self { server, workflow, folder })
    }

    fn run_request(&self) -> Vec<u8> {
        request("POST", &format!("/wf/{}/run/", self.workflow), &graphs::inputs())
    }

    /// The floors on a copy of the database.
    fn floor(&self) -> Result<(Server, TempDir), Failure> {
        let copy = tempfile::tempdir()?;
        let sql = "VACUUM INTO ?1";
        Sqlite::open(database(self.folder.path()))?
            .execute(sql, [database(copy.path()).display().to_string()])?;
        Ok((Server::floor(copy.path())?, copy))
    }
}

/// Requests a second of a subject and of its floor, in turns.
struct Load {
    subject: f64,
    floor: f64,
    ratio: f64,
}

impl Load {
    fn measure(
        time: Duration,
        subject: (SocketAddr, &[u8]),
        floor: (SocketAddr, &[u8]),
    ) -> Result<Self, Failure> {
        // A first round that does not count warms both up.
        let warm_up = time / 4;
        load(subject.0, warm_up, subject.1)?;
        load(floor.0, warm_up, floor.1)?;
        let (mut subjects, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            subjects.push(load(subject.0, time, subject.1)?);
            floors.push(load(floor.0, time, floor.1)?);
        }
        let ratio = median(subjects.iter().zip(&floors).map(|(subject, floor)| subject / floor).collect());
        Ok(Self { subject: median(subjects), floor: median(floors), ratio })
    }

    fn row(&self, work: &str, unit: &str, bar: f64) -> Row {
        Row {
            work: work.to_owned(),
            figure: format!("{:.0} {unit}", self.subject),
            floor: format!("{:.0} {unit}", self.floor),
            ratio: self.ratio,
            bar: Bar::AtLeast(bar),
        }
    }
}

fn get(args: &Args) -> Result<Row, Failure> {
    let place = Place::new(args, &graphs::twelve())?;
    let (floor, _copy) = place.floor()?;
    let subject = request("GET", &format!("/wf/{}/", place.workflow), "");
    let bare = request("GET", &format!("/get/{}", place.workflow), "");
    let load = Load::measure(args.round(), (place.server.address, &subject), (floor.address, &bare))?;
    Ok(load.row("GET /wf/{id}/, 12 nodes", "requests/s", 0.8))
}

fn post(args: &Args) -> Result<Row, Failure> {
    let place = Place::new(args, &graphs::twelve())?;
    let (floor, _copy) = place.floor()?;
    let mut body = graphs::twelve();
    // As many different names: the floor has them too, and looks for none.
    body["name"] = UNIQUE.into();
    let subject = request("POST", "/wf/", &body.to_string());
    let bare = request("POST", "/post", &body["definition"].to_string());
    let load = Load::measure(args.round(), (place.server.address, &subject), (floor.address, &bare))?;
    Ok(load.row("POST /wf/, 12 nodes", "requests/s", 2.0))
}

fn run(args: &Args) -> Result<Row, Failure> {
    let place = Place::new(args, &graphs::twelve())?;
    let subject = place.run_request();
    place.server.connect()?.send(&subject)?;
    let (floor, _copy) = place.floor()?;
    let bare = request("POST", "/run", &graphs::inputs());
    let load = Load::measure(args.round(), (place.server.address, &subject), (floor.address, &bare))?;
    Ok(load.row("POST /wf/{id}/run/, 12 nodes", "runs/s", 0.6))
}

/// One client starts runs and sees their ends.
fn follow(args: &Args) -> Result<Row, Failure> {
    const RUNS: usize = 300;
    let place = Place::new(args, &graphs::twelve())?;
    let start = request("POST", &format!("/wf/{}/start_run/", place.workflow), &graphs::inputs());
    let file = Sqlite::open(place.folder.path().join("floor.db"))?;
    file.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (x TEXT)")?;
    let mut commit = file.prepare("INSERT INTO t VALUES (?1)")?;
    let mut connection = place.server.connect()?;
    let (mut seen, mut committed) = (Vec::new(), Vec::new());
    for number in 0..RUNS {
        let begin = Instant::now();
        let run: serde_json::Value = serde_json::from_slice(connection.send(&start)?)?;
        let path = format!("/run/{}/events/", run["id"].as_str().ok_or("no id")?);
        place.server.connect()?.follow(&request("GET", &path, ""), b"event: run_completed")?;
        seen.push(begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        commit.execute([format!("row {number}")])?;
        committed.push(begin.elapsed().as_secs_f64());
    }
    let (seen, committed) = (median(seen), median(committed));
    Ok(Row {
        work: "start_run to COMPLETED seen by SSE, one client, p50".to_owned(),
        figure: micros(seen),
        floor: format!("{} a commit", micros(committed)),
        ratio: seen / committed,
        bar: Bar::AtMost(4.0),
    })
}

/// What a node costs in a wide run, beside what it costs in a small one.
fn fan(args: &Args) -> Result<Row, Failure> {
    const RUNS: usize = 1_000;
    let (wide, small) = (Place::new(args, &graphs::fan())?, Place::new(args, &graphs::twelve())?);
    let cost = |place: &Place, nodes: f64| -> Result<f64, Failure> {
        Ok(1.0 / (load(place.server.address, args.round(), &place.run_request())? * nodes))
    };
    let (mut wides, mut smalls, mut runs) = (Vec::new(), Vec::new(), 0.0);
    cost(&small, 12.0)?;
    while runs < RUNS as f64 || wides.len() < ROUNDS {
        wides.push(cost(&wide, 202.0)?);
        smalls.push(cost(&small, 12.0)?);
        runs += args.seconds / (wides[wides.len() - 1] * 202.0);
    }
    let ratio = median(wides.iter().zip(&smalls).map(|(wide, small)| wide / small).collect());
    Ok(Row {
        work: format!("{runs:.0} runs of a 200-wide fan-out, per node"),
        figure: micros(median(wides)),
        floor: format!("{} in the 12-node run", micros(median(smalls))),
        ratio,
        bar: Bar::AtMost(1.0),
    })
}

fn plan() -> Result<Row, Failure> {
    let time = |size: usize, times: usize| -> Result<f64, Failure> {
        let text = graphs::layered(size)["definition"].to_string();
        let mut taken = Vec::new();
        for _ in 0..times {
            let begin = Instant::now();
            let definition: Definition = serde_json::from_str(&text)?;
            let builtin = NodeKinds::default();
            if let Some(wrong) = validate(&definition, &builtin).first() {
                return Err(format!("{wrong:?}").into());
            }
            let plan = Plan::build(&definition, &builtin).map_err(|error| error.to_string())?;
            taken.push(begin.elapsed().as_secs_f64());
            drop(plan);
        }
        Ok(median(taken))
    };
    let (small, large) = (time(1_000, 21)?, time(100_000, 7)?);
    Ok(Row {
        work: "reading, validating and planning a DAG of 100,000 nodes".to_owned(),
        figure: micros(large),
        floor: format!("{} for 1,000", micros(small)),
        ratio: large / small,
        bar: Bar::AtMost(150.0),
    })
}

/// The first page of each list, with few and with many rows.
fn lists(args: &Args) -> Result<Vec<Row>, Failure> {
    const FEW: u64 = 1_000;
    let mut place = gate(args)?;
    let paths = ["/wf/", "/run/", "/wf/paused_workflows/"];
    let mut look = |rows: u64| -> Result<Vec<f64>, Failure> {
        refill(&mut place, args, rows)?;
        let address = place.server.address;
        paths.iter().map(|path| latency(address, 300, &request("GET", path, ""))).collect()
    };
    let (few, many) = (look(FEW)?, look(args.rows)?);
    let rows = paths.iter().zip(few.iter().zip(&many)).map(|(path, (few, many))| Row {
        work: format!("first page of GET {path}, {} rows", args.rows),
        figure: micros(*many),
        floor: format!("{} with {FEW}", micros(*few)),
        ratio: many / few,
        bar: Bar::AtMost(1.5),
    });
    Ok(rows.collect())
}

/// What runs that wait for people cost a process.
fn paused(args: &Args) -> Result<Row, Failure> {
    let mut place = gate(args)?;
    refill(&mut place, args, 1)?;
    let idle = place.server.resident()?;
    refill(&mut place, args, args.paused)?;
    let waiting = place.server.resident()?;
    Ok(Row {
        work: format!("{} paused runs, MB more than the idle process", args.paused),
        figure: megabytes(waiting),
        floor: megabytes(idle),
        ratio: (waiting - idle) / 1e6,
        bar: Bar::AtMost(10.0),
    })
}

/// A place with one run that waits at a gate.
fn gate(args: &Args) -> Result<Place, Failure> {
    let place = Place::new(args, &graphs::gated())?;
    let path = format!("/wf/{}/start_run/?wait_seconds=10", place.workflow);
    // It pauses, which is answered with 202.
    place.server.connect()?.follow(&request("POST", &path, &graphs::inputs()), b"\"PAUSED\"")?;
    Ok(place)
}

/// Starts the server anew on as many rows.
fn refill(place: &mut Place, args: &Args, rows: u64) -> Result<(), Failure> {
    let folder = place.folder.path();
    place.server.stop();
    fill::fill(&database(folder), rows)?;
    place.server = Server::sluice(&args.sluice, folder)?;
    Ok(())
}

fn start(args: &Args) -> Result<Vec<Row>, Failure> {
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let folder = tempfile::tempdir()?;
        let server = Server::sluice(&args.sluice, folder.path())?;
        times.push(server.began_in.as_secs_f64() * 1e3);
        sizes.push(server.resident()?);
    }
    let (time, size) = (median(times), median(sizes));
    let row = |work: &str, figure: String, ratio: f64, most: f64| Row {
        work: work.to_owned(),
        figure,
        floor: String::new(),
        ratio,
        bar: Bar::AtMost(most),
    };
    Ok(vec![
        row("start to the first answer on /readyz, ms", format!("{time:.0} ms"), time, 100.0),
        row("resident then, MB", megabytes(size), size / 1e6, 40.0),
    ])
}

fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}
