//! Helpers of the integration tests.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use sluice_python::{Pool, PoolConfig, PythonError};

/// Timeout for something that must happen, on a slow machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn config(workers: usize) -> PoolConfig {
    let no_args: [&str; 0] = [];
    let mut config = PoolConfig::new(env!("CARGO_BIN_EXE_sluice-python-test-worker"), no_args);
    config.workers = workers;
    // A slow machine must not fail a test.
    config.limits.time = TIMEOUT;
    config
}

pub(crate) fn pool(workers: usize) -> Pool {
    Pool::new(config(workers))
}

pub(crate) fn object(json: Value) -> Map<String, Value> {
    match json {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

/// Runs without inputs.
pub(crate) async fn run(pool: &Pool, code: &str) -> Result<Value, PythonError> {
    pool.run(code, &Map::new()).await
}

/// Process ids of this process' children whose parent is this very process.
pub(crate) fn children() -> Vec<u32> {
    let me = std::process::id().to_string();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| stat(*pid).is_some_and(|(state, parent)| parent == me && state != "Z" && state != "X"))
        .collect()
}

/// State and parent of a process; `None` if there is none.
fn stat(pid: u32) -> Option<(String, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
}

/// True if the process is gone, or a zombie.
pub(crate) fn is_gone(pid: u32) -> bool {
    stat(pid).is_none_or(|(state, _)| state == "Z" || state == "X")
}

/// CPU time of a process in clock ticks.
pub(crate) fn cpu_ticks(pid: u32) -> u64 {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return 0;
    };
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // utime and stime are fields 14 and 15, the state is field 3.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Polls until `condition` holds.
pub(crate) async fn until(event: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {event}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
