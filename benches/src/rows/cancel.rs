//! Latency of a cancellation.

use std::time::{Duration, Instant};

use crate::args::{Args, Failure};
use crate::client::request;
use crate::definitions;
use crate::site::Site;
use crate::table::{Row, Threshold, median};

/// Measures the latency from the request to cancel a run to the end of its node's process. The figure is the maximum of
/// all runs.
pub(crate) fn cancel(args: &Args) -> Result<Row, Failure> {
    const RUNS: usize = 30;
    let site = Site::start(args, &definitions::busy())?;
    let start = request("POST", &format!("/wf/{}/start_run/", site.workflow), &definitions::inputs());
    let mut connection = site.server.connect()?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let run: serde_json::Value = serde_json::from_slice(connection.send(&start)?)?;
        let id = run["id"].as_str().ok_or("no id")?;
        let events = request("GET", &format!("/run/{id}/events/"), "");
        site.server.connect()?.follow(&events, b"event: task_started")?;
        let worker = wait_for_busy_child(site.server.pid())?;
        let begin = Instant::now();
        connection.json("POST", &format!("/wf/cancel_workflow/{id}/"), "")?;
        while !has_exited(worker) {
            std::thread::sleep(Duration::from_micros(200));
        }
        times.push(begin.elapsed().as_secs_f64());
    }
    let maximum = times.iter().copied().fold(0.0, f64::max) * 1e3;
    Ok(Row {
        work: "cancel to the end of a busy node, ms, maximum of 30".to_owned(),
        figure: format!("{maximum:.1} ms (median {:.1})", median(times) * 1e3),
        baseline: String::new(),
        ratio: maximum,
        threshold: Threshold::AtMost(100.0),
    })
}

fn stat(process: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The fields after the name: state, parent, and so on.
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn has_exited(process: u32) -> bool {
    stat(&process.to_string()).is_none_or(|fields| fields[0] == "Z")
}

/// Waits for a child of `parent` with a running thread, and returns its process id.
fn wait_for_busy_child(parent: u32) -> Result<u32, Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        for process in numeric_entries("/proc")? {
            let is_child = |fields: Vec<String>| fields[1] == parent.to_string();
            if stat(&process).is_some_and(is_child)
                && numeric_entries(&format!("/proc/{process}/task"))?.iter().any(|thread| {
                    stat(&format!("{process}/task/{thread}")).is_some_and(|fields| fields[0] == "R")
                })
            {
                return Ok(process.parse()?);
            }
        }
    }
    Err("no node started to run".into())
}

/// Returns the names in a folder that are numbers.
fn numeric_entries(folder: &str) -> Result<Vec<String>, Failure> {
    let names = std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.parse::<u32>().is_ok()).collect())
}
