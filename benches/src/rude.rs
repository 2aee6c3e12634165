//! What others notice of clients that are slow or silent, and how soon a cancel takes effect.

use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::client::{latencies, request};
use crate::rows::Place;
use crate::table::{Bar, Row, median, micros};
use crate::{Args, Failure, graphs};

/// How many requests the quiet and the loud time are compared by.
const REQUESTS: usize = 20_000;
/// How many clients say nothing, half a head, half a body, or don't read what they asked for: of each a quarter.
const RUDE: usize = 1_000;

/// The 99th percentile of reading a workflow while a thousand clients are rude, beside that of a quiet time.
pub(crate) fn rude(args: &Args) -> Result<Row, Failure> {
    let place = Place::new(args, &graphs::twelve())?;
    let path = format!("/wf/{}/", place.workflow);
    let (address, get) = (place.server.address, request("GET", &path, ""));
    let p99 = || -> Result<f64, Failure> {
        let mut taken = latencies(address, REQUESTS, &get)?;
        taken.sort_by(f64::total_cmp);
        Ok(taken[taken.len() * 99 / 100])
    };
    p99()?;
    let quiet = p99()?;
    let over = AtomicBool::new(false);
    let loud = std::thread::scope(|scope| {
        scope.spawn(|| be_rude(address, &path, &over));
        // All of them are there by then.
        std::thread::sleep(Duration::from_secs(1));
        let loud = p99();
        over.store(true, Ordering::Relaxed);
        loud
    })?;
    Ok(Row {
        work: format!("p99 of GET /wf/{{id}}/ beside {RUDE} slow and silent clients"),
        figure: micros(loud),
        floor: format!("{} in a quiet time", micros(quiet)),
        ratio: loud / quiet,
        bar: Bar::AtMost(2.0),
    })
}

/// Opens the connections, and each of them anew that the server closes.
fn be_rude(address: SocketAddr, path: &str, over: &AtomicBool) {
    let half_body =
        String::from_utf8_lossy(&request("POST", "/wf/", &"{".repeat(999))).replace(&"{".repeat(998), "");
    let unread = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").repeat(100);
    let ways = ["", "GET / HTTP/1.1\r\nhost: localhost\r\n", &half_body, &unread];
    let mut open: Vec<Option<TcpStream>> = (0..RUDE).map(|_| None).collect();
    while !over.load(Ordering::Relaxed) {
        for (number, place) in open.iter_mut().enumerate() {
            let way = ways[number % ways.len()].as_bytes();
            if place.as_ref().is_none_or(is_closed) {
                *place = TcpStream::connect(address).ok().filter(|stream| (&*stream).write_all(way).is_ok());
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn is_closed(stream: &TcpStream) -> bool {
    let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    // What is there to be read is left there.
    !matches!(looked, Ok(1..)) && !looked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// From the request to cancel a busy node to the end of the node's process, the median of thirty.
pub(crate) fn cancel(args: &Args) -> Result<Row, Failure> {
    const RUNS: usize = 30;
    let place = Place::new(args, &graphs::busy())?;
    let start = request("POST", &format!("/wf/{}/start_run/", place.workflow), &graphs::inputs());
    let mut connection = place.server.connect()?;
    let mut taken = Vec::new();
    for _ in 0..RUNS {
        let run: serde_json::Value = serde_json::from_slice(connection.send(&start)?)?;
        let id = run["id"].as_str().ok_or("no id")?;
        let events = request("GET", &format!("/run/{id}/events/"), "");
        place.server.connect()?.follow(&events, b"event: task_started")?;
        let worker = busiest(place.server.pid())?;
        let begin = Instant::now();
        connection.json("POST", &format!("/wf/cancel_workflow/{id}/"), "")?;
        while !is_dead(worker) {
            std::thread::sleep(Duration::from_micros(200));
        }
        taken.push(begin.elapsed().as_secs_f64());
    }
    let worst = taken.iter().copied().fold(0.0, f64::max) * 1e3;
    Ok(Row {
        work: "cancel to the end of a busy node, ms, the slowest of 30".to_owned(),
        figure: format!("{worst:.1} ms (median {:.1})", median(taken) * 1e3),
        floor: String::new(),
        ratio: worst,
        bar: Bar::AtMost(100.0),
    })
}

fn stat(process: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // What follows the name: the state, the parent, …
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn is_dead(process: u32) -> bool {
    stat(&process.to_string()).is_none_or(|fields| fields[0] == "Z")
}

/// The child of `parent` of which a thread is running, once there is one.
fn busiest(parent: u32) -> Result<u32, Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        for process in numbered("/proc")? {
            let is_child = |fields: Vec<String>| fields[1] == parent.to_string();
            if stat(&process).is_some_and(is_child)
                && numbered(&format!("/proc/{process}/task"))?.iter().any(|thread| {
                    stat(&format!("{process}/task/{thread}")).is_some_and(|fields| fields[0] == "R")
                })
            {
                return Ok(process.parse()?);
            }
        }
    }
    Err("no node began to work".into())
}

/// The entries of a folder that are numbers.
fn numbered(folder: &str) -> Result<Vec<String>, Failure> {
    let names = std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.parse::<u32>().is_ok()).collect())
}
