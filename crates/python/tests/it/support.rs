//! Helpers of the integration tests.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use sluice_python::{Pool, PoolConfig, PythonError};

/// Timeout for expected events, long enough for a slow machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn config(workers: usize) -> PoolConfig {
    let no_args: [&str; 0] = [];
    let mut config = PoolConfig::new(env!("CARGO_BIN_EXE_sluice-python-test-worker"), no_args);
    config.workers = workers;
    // Tests must not fail on a slow machine.
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

/// Runs a snippet without inputs.
pub(crate) async fn run(pool: &Pool, code: &str) -> Result<Value, PythonError> {
    pool.run(code, &Map::new()).await
}

/// Returns the process ids of the running child processes of this process.
pub(crate) fn children() -> Vec<u32> {
    let own_pid = std::process::id().to_string();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            stat(*pid).is_some_and(|(state, parent)| parent == own_pid && state != "Z" && state != "X")
        })
        .collect()
}

/// Returns state and parent of a process, or `None` if it doesn't exist.
fn stat(pid: u32) -> Option<(String, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
}

/// Returns true if the process doesn't exist or is a zombie.
pub(crate) fn is_gone(pid: u32) -> bool {
    stat(pid).is_none_or(|(state, _)| state == "Z" || state == "X")
}

/// Returns the CPU time of a process, in clock ticks.
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
