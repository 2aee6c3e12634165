//! Waiting for a condition without a fixed sleep.

use std::time::{Duration, Instant};

use super::process::DEADLINE;

/// Polls until there is a value; only a server that never has one meets the deadline.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if let Some(value) = ask().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited {DEADLINE:?} for {what}");
}
