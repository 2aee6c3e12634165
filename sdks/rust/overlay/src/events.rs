//! Server-Sent Events, one object each: the generator knows no streams.

use std::collections::VecDeque;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::apis::configuration::Configuration;
use crate::apis::{urlencode, Error, ResponseContent};
use crate::models::{PausedWorkflowEvent, Problem, RunEvent};

/// A stream of events, read by calling [`Events::next`].
#[derive(Debug)]
pub struct Events<T> {
    response: reqwest::Response,
    buffer: Vec<u8>,
    data: String,
    ready: VecDeque<String>,
    of: PhantomData<T>,
}

/// The events of a run, from its beginning or from behind `last_event_id`; the stream ends with the run.
pub async fn follow_run(
    configuration: &Configuration,
    run_id: &str,
    last_event_id: Option<&str>,
) -> Result<Events<RunEvent>, Error<Problem>> {
    open(configuration, &format!("/run/{}/events/", urlencode(run_id)), last_event_id).await
}

/// Each pause that is opened or decided, from now on or from behind `last_event_id`.
pub async fn follow_paused_workflows(
    configuration: &Configuration,
    last_event_id: Option<&str>,
) -> Result<Events<PausedWorkflowEvent>, Error<Problem>> {
    open(configuration, "/wf/paused_workflows/events/", last_event_id).await
}

async fn open<T>(
    configuration: &Configuration,
    path: &str,
    last_event_id: Option<&str>,
) -> Result<Events<T>, Error<Problem>> {
    let mut request = configuration.client.get(format!("{}{path}", configuration.base_path));
    if let Some(agent) = &configuration.user_agent {
        request = request.header(reqwest::header::USER_AGENT, agent);
    }
    if let Some(token) = &configuration.bearer_access_token {
        request = request.bearer_auth(token);
    }
    if let Some(id) = last_event_id {
        request = request.header("Last-Event-ID", id);
    }
    let response = request.send().await?;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let content = response.text().await?;
        let entity = serde_json::from_str(&content).ok();
        return Err(Error::ResponseError(ResponseContent { status, content, entity }));
    }
    Ok(Events { response, buffer: Vec::new(), data: String::new(), ready: VecDeque::new(), of: PhantomData })
}

impl<T: DeserializeOwned> Events<T> {
    /// The next event; none when the stream has ended.
    pub async fn next(&mut self) -> Result<Option<T>, Error<Problem>> {
        loop {
            if let Some(data) = self.ready.pop_front() {
                return Ok(Some(serde_json::from_str(&data)?));
            }
            match self.response.chunk().await? {
                Some(bytes) => self.take(&bytes),
                None => return Ok(None),
            }
        }
    }

    /// Takes in whole lines; an empty one ends an event.
    fn take(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(data) = line.strip_prefix("data:") {
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            } else if line.is_empty() && !self.data.is_empty() {
                self.ready.push_back(std::mem::take(&mut self.data));
            }
        }
    }
}
