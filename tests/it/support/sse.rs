//! A client of Server-Sent Events.

use std::collections::VecDeque;

use reqwest::Response;
use serde_json::Value;

use crate::support::app::App;

/// An event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// An open stream.
pub(crate) struct Stream {
    response: Response,
    text: String,
    ready: VecDeque<Message>,
}

impl Stream {
    pub(crate) async fn open(app: &App, path: &str, last_event_id: Option<u64>) -> Self {
        let mut request = app.get(path);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id.to_string());
        }
        let response = request.stream().await;
        let status = response.status().as_u16();
        if status != 200 {
            panic!("{path}: {status}: {}", response.text().await.unwrap_or_default());
        }
        let kind = response.headers()["content-type"].to_str().expect("a text header").to_owned();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Self { response, text: String::new(), ready: VecDeque::new() }
    }

    /// Returns the next event, or `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let message = parse(block);
                let rest = rest.to_owned();
                self.ready.extend(message);
                self.text = rest;
            }
        }
    }

    /// Reads to the end of the stream.
    pub(crate) async fn read_to_end(mut self) -> Vec<Message> {
        let mut all = Vec::new();
        while let Some(message) = self.next().await {
            all.push(message);
        }
        all
    }

    /// Reads up to the first event of this type.
    pub(crate) async fn until(&mut self, event: &str) -> Vec<Message> {
        let mut all = Vec::new();
        while let Some(message) = self.next().await {
            let is_last = message.event == event;
            all.push(message);
            if is_last {
                return all;
            }
        }
        panic!("the stream ended before {event}: {all:#?}");
    }
}

/// Parses an event. Returns `None` for a comment.
fn parse(block: &str) -> Option<Message> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = field("data")?;
    Some(Message {
        id: field("id").and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no id: {block}")),
        event: field("event").unwrap_or_else(|| panic!("no event: {block}")).to_owned(),
        data: serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")),
    })
}
