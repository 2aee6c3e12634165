//! Waiting for a condition without a fixed sleep.

use std::time::{Duration, Instant};

use super::process::DEADLINE;

/// Polls until `poll` returns a value. Panics at the deadline.
pub(crate) async fn eventually<T>(what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if let Some(value) = poll().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited {DEADLINE:?} for {what}");
}
