//! Following the log of a run as it grows.

use std::time::Duration;

use sluice_domain::run::Event;
use tokio_util::sync::CancellationToken;

use crate::feed::{Grown, Listener};
use crate::{Engine, EngineError, RunRecord, StoredRun};

/// How often the store is asked whether the log has grown by somebody else's hand, as by another server.
const ASK: Duration = Duration::from_secs(15);

/// The log of a run from some event on, as far as there is one, and then as it grows.
pub struct Follow {
    listener: Listener,
    draining: CancellationToken,
    /// The run as it was at the beginning.
    pub record: RunRecord,
    /// What is to be given next, and its sequence number.
    ready: Vec<Event>,
    next: u64,
    has_ended: bool,
    /// The first event of the log.
    first: Option<Event>,
}

/// Events that follow each other.
#[derive(Debug)]
pub struct Followed {
    /// The sequence number of the first.
    pub first: u64,
    /// The events.
    pub events: Vec<Event>,
}

impl Engine {
    /// Follows the log of a run from the event `next` on.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when there is no such run, [`EngineError::Beyond`] when its log has fewer
    /// events; otherwise when the store gives no answer.
    pub async fn run_follow(&self, run_id: uuid::Uuid, next: u64) -> Result<Follow, EngineError> {
        // First to listen, then to read: nothing is missed in between.
        let listener = self.journal().listen(run_id);
        let StoredRun { record, mut log } =
            self.journal().store.run(run_id).await?.ok_or(EngineError::NotFound)?;
        let length = log.len() as u64;
        if next > length {
            return Err(EngineError::Beyond(length));
        }
        let first = log.first().cloned();
        let has_ended = ended(&log, false);
        let ready = log.split_off(usize::try_from(next).unwrap_or(usize::MAX));
        let draining = self.draining();
        Ok(Follow { listener, draining, record, ready, next, has_ended, first })
    }
}

impl Follow {
    /// Whether the run has ended and everything was given.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.has_ended && self.ready.is_empty()
    }

    /// The first event of the log, which tells what the run was given.
    #[must_use]
    pub fn first(&self) -> Option<&Event> {
        self.first.as_ref()
    }

    /// The next events; none when the run has ended or was deleted, or the server stops.
    ///
    /// # Errors
    /// When the store gives no answer.
    pub async fn next(&mut self) -> Result<Option<Followed>, EngineError> {
        loop {
            if !self.ready.is_empty() {
                let events = std::mem::take(&mut self.ready);
                let first = self.next;
                self.next += events.len() as u64;
                return Ok(Some(Followed { first, events }));
            }
            if self.has_ended {
                return Ok(None);
            }
            let grown = tokio::select! {
                // An error says that something was missed: then the store is read.
                grown = self.listener.grown.recv() => grown.ok(),
                () = tokio::time::sleep(ASK) => None,
                () = self.draining.cancelled() => return Ok(None),
            };
            if !self.take(grown).await? {
                return Ok(None);
            }
        }
    }

    /// Takes in how the log has grown. Answers whether the run is still there.
    async fn take(&mut self, grown: Option<Grown>) -> Result<bool, EngineError> {
        match grown {
            Some(Grown { first, events: Some(events) }) if first == self.next => {
                self.ready = events.to_vec();
            }
            // Known from the store already.
            Some(Grown { first, events: Some(events) }) if first + events.len() as u64 <= self.next => {}
            _ => {
                let store = &self.listener.journal.store;
                self.ready = store.log_from(self.record.id, self.next).await?;
                if self.ready.is_empty() && store.log_from(self.record.id, 0).await?.is_empty() {
                    return Ok(false);
                }
            }
        }
        self.has_ended = ended(&self.ready, self.has_ended);
        Ok(true)
    }
}

/// Whether a run has ended after these events.
fn ended(events: &[Event], before: bool) -> bool {
    events.iter().fold(before, |ended, event| match event {
        Event::RunCompleted { .. }
        | Event::BatchCompleted { .. }
        | Event::RunFailed { .. }
        | Event::RunCanceled { .. } => true,
        Event::RunRetried { .. } => false,
        _ => ended,
    })
}
