//! The event stream of a run: the existing events of its log, then the events of each commit.

use std::time::Duration;

use sluice_domain::run::Event;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Engine;
use crate::error::EngineError;
use crate::journal::{LogAppended, Subscription};
use crate::store::{RunRecord, StoredRun};

/// Interval at which a stream without events reads the store, in case another process has appended to the log.
const POLL_INTERVAL: Duration = Duration::from_secs(15);

/// The events of a run, starting at a position of its log. The stream ends with the run.
pub struct RunStream {
    engine: Engine,
    subscription: Subscription,
    draining: CancellationToken,
    /// The run when the stream was opened.
    pub record: RunRecord,
    /// Events to return next. The first one has the sequence number `next`.
    ready: Vec<Event>,
    next: u64,
    has_ended: bool,
    first_event: Option<Event>,
}

/// Consecutive events of a run.
#[derive(Debug)]
pub struct EventBatch {
    /// The sequence number of the first event.
    pub first: u64,
    /// The events.
    pub events: Vec<Event>,
}

impl Engine {
    /// Opens the event stream of a run at the sequence number `next`.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] if the run doesn't exist, [`EngineError::BeyondEnd`] if its log has fewer than `next`
    /// events, or the store failed.
    pub async fn run_events(&self, run_id: Uuid, next: u64) -> Result<RunStream, EngineError> {
        // Subscribe before reading, so that no commit in between is missed.
        let subscription = self.0.journal.subscribe(run_id);
        let StoredRun { record, mut log } =
            self.0.journal.store.run(run_id).await?.ok_or(EngineError::NotFound)?;
        let length = log.len() as u64;
        if next > length {
            return Err(EngineError::BeyondEnd(length));
        }
        Ok(RunStream {
            engine: self.clone(),
            subscription,
            draining: self.draining(),
            record,
            has_ended: has_ended(&log, false),
            first_event: log.first().cloned(),
            ready: log.split_off(usize::try_from(next).unwrap_or(usize::MAX)),
            next,
        })
    }
}

impl RunStream {
    /// Returns true if the run has ended and all events were returned.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.has_ended && self.ready.is_empty()
    }

    /// Returns the first event of the log, which contains the inputs of the run.
    #[must_use]
    pub fn first_event(&self) -> Option<&Event> {
        self.first_event.as_ref()
    }

    /// Waits for the next events. Returns `None` if the run has ended or was deleted, or the server is stopping.
    ///
    /// # Errors
    /// The store failed.
    pub async fn next(&mut self) -> Result<Option<EventBatch>, EngineError> {
        loop {
            if !self.ready.is_empty() {
                let events = std::mem::take(&mut self.ready);
                let first = self.next;
                self.next += events.len() as u64;
                return Ok(Some(EventBatch { first, events }));
            }
            if self.has_ended {
                return Ok(None);
            }
            let appended = tokio::select! {
                appended = self.subscription.recv() => appended,
                () = tokio::time::sleep(POLL_INTERVAL) => None,
                () = self.draining.cancelled() => return Ok(None),
            };
            if !self.receive(appended).await? {
                return Ok(None);
            }
        }
    }

    /// Stores the appended events in `ready`, or reads the store if events are missing. Returns false if the run was
    /// deleted.
    async fn receive(&mut self, appended: Option<LogAppended>) -> Result<bool, EngineError> {
        match appended {
            Some(LogAppended { first, events: Some(events) }) if first == self.next => {
                self.ready = events.to_vec();
            }
            // These events were already read from the store.
            Some(LogAppended { first, events: Some(events) }) if first + events.len() as u64 <= self.next => {
            }
            _ => {
                let store = &self.engine.0.journal.store;
                self.ready = store.log_from(self.record.id, self.next).await?;
                if self.ready.is_empty() && store.log_from(self.record.id, 0).await?.is_empty() {
                    return Ok(false);
                }
            }
        }
        self.has_ended = has_ended(&self.ready, self.has_ended);
        Ok(true)
    }
}

/// Returns true if a run has ended after these events. `had_ended` is true if it had ended before them.
fn has_ended(events: &[Event], had_ended: bool) -> bool {
    events.iter().fold(had_ended, |ended, event| event.ends_run() || (ended && !event.reopens_run()))
}
