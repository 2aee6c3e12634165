//! The event log of a run, and checks of the properties of every log.

use std::collections::HashMap;

use crate::support::app::App;
use crate::support::sse::{Message, Stream};

/// Returns the log of an ended run.
pub(crate) async fn of_ended(app: &App, run: &str) -> Vec<Message> {
    Stream::open(app, &format!("/run/{run}/events/"), None).await.read_to_end().await
}

/// Returns the log of a paused run.
pub(crate) async fn of_paused(app: &App, run: &str) -> Vec<Message> {
    let mut stream = Stream::open(app, &format!("/run/{run}/events/"), None).await;
    stream.until("run_paused").await
}

/// Checks that the log has no gaps, one result for each task, consecutive attempts, and nothing after the end.
pub(crate) fn check(run: &str, log: &[Message]) {
    let mut attempts: HashMap<String, u64> = HashMap::new();
    let mut ended: HashMap<String, &str> = HashMap::new();
    for (number, message) in (0..).zip(log) {
        assert_eq!(message.id, number, "{run}: a gap in {log:#?}");
        let task = format!("{}{}", message.data["iterations"], message.data["node_id"]);
        match message.event.as_str() {
            "task_started" => {
                let attempt = message.data["attempt"].as_u64().expect("a number");
                let before = attempts.insert(task.clone(), attempt).unwrap_or(0);
                assert_eq!(attempt, before + 1, "{run}: {task} in {log:#?}");
                assert!(!ended.contains_key(&task), "{run}: {task} ran again in {log:#?}");
            }
            "task_completed" | "task_failed" | "task_canceled" => {
                let before = ended.insert(task.clone(), &message.event);
                assert!(before.is_none(), "{run}: a second result of {task} in {log:#?}");
            }
            _ => {}
        }
        let is_end = matches!(message.event.as_str(), "run_completed" | "run_failed" | "run_canceled");
        assert!(!is_end || number + 1 == log.len() as u64, "{run}: an event after the end in {log:#?}");
    }
}
