//! What is committed, told to whoever listens.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_domain::run::{Event, Plan, RunState, RunStatus};
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::observe::Observer;
use crate::{Commit, CommitError, RunStore, StoreError};

/// How many commits a listener may be behind. One that is further behind reads the store again.
const BEHIND: usize = 64;

/// The way to the store for whoever commits: everything that is committed is told.
pub(crate) struct Journal {
    pub(crate) store: Arc<dyn RunStore>,
    /// Who listens to which run.
    runs: Mutex<HashMap<Uuid, Listeners>>,
    /// Changes whenever a pause was opened or settled.
    pauses: watch::Sender<u64>,
    /// The batches that are driven.
    batches: Mutex<HashMap<Uuid, Rows>>,
    /// Whether the store gave no answer when it was asked last.
    away: AtomicBool,
    /// Who counts what is committed.
    pub(crate) observer: Observer,
}

/// What a batch and its rows know of each other.
#[derive(Clone, Default)]
pub(crate) struct Rows {
    /// Notified when a row has come to rest.
    pub(crate) rested: Arc<Notify>,
    /// The batch was canceled: no node of its rows begins any more.
    pub(crate) called_off: CancellationToken,
}

/// Who listens to one run.
struct Listeners {
    tell: broadcast::Sender<Grown>,
    count: usize,
}

/// A log has grown.
#[derive(Clone, Debug)]
pub(crate) struct Grown {
    /// The sequence number of the first new event.
    pub(crate) first: u64,
    /// The new events; none when somebody began to listen in the middle of the commit.
    pub(crate) events: Option<Arc<[Event]>>,
}

impl Journal {
    pub(crate) fn new(store: Arc<dyn RunStore>, observer: Observer) -> Self {
        Self {
            store,
            runs: Mutex::default(),
            pauses: watch::Sender::new(0),
            batches: Mutex::default(),
            away: AtomicBool::new(false),
            observer,
        }
    }

    /// Adds events to the log of a run; they are durable when this answers, and then told. `state` is the run after
    /// them.
    pub(crate) async fn commit(
        &self,
        commit: Commit,
        plan: &Plan,
        state: &RunState,
    ) -> Result<(), CommitError> {
        let news = self.observer.news(&commit, plan, state);
        let (run, first) = (commit.record.id, commit.first);
        let events: Option<Arc<[Event]>> = self.has_listeners(run).then(|| commit.events.as_slice().into());
        let is_pause =
            |event: &Event| matches!(event, Event::PauseOpened { .. } | Event::PauseDecided { .. });
        let has_pauses = commit.events.iter().any(is_pause) || commit.record.status.is_terminal();
        // A row that ends, or waits for a person, leaves room for the next.
        let at_rest = commit.record.status.is_terminal() || commit.record.status == RunStatus::Paused;
        let batch = commit.record.parent_run_id.filter(|_| commit.record.batch_row.is_some() && at_rest);
        let is_canceled = commit.record.status == RunStatus::Canceled;
        self.store.commit(commit).await?;
        self.answers();
        self.observer.take(&news);
        if let Some(rows) = batch.and_then(|batch| self.driven_batch(batch)) {
            rows.rested.notify_one();
        }
        if is_canceled && let Some(rows) = self.driven_batch(run) {
            rows.called_off.cancel();
        }
        if let Some(listeners) = self.runs().get(&run) {
            // An error says that everybody has gone.
            let _ = listeners.tell.send(Grown { first, events });
        }
        if has_pauses {
            self.pauses.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// What this batch, which is driven now, and its rows know of each other.
    pub(crate) fn rows_of(&self, batch: Uuid) -> Rows {
        lock(&self.batches).entry(batch).or_default().clone()
    }

    /// The same, if the batch is driven.
    pub(crate) fn driven_batch(&self, batch: Uuid) -> Option<Rows> {
        lock(&self.batches).get(&batch).cloned()
    }

    /// The batch is driven no more.
    pub(crate) fn forget_rows_of(&self, batch: Uuid) {
        lock(&self.batches).remove(&batch);
    }

    /// Notes that the store gives no answer. Says so once, however many wait for it.
    pub(crate) fn gives_no_answer(&self, cause: &StoreError) {
        if !self.away.swap(true, Ordering::Relaxed) {
            let cause: &dyn std::error::Error = cause;
            warn!(cause, "the store gives no answer, runs wait for it");
        }
    }

    /// Notes that the store answers.
    pub(crate) fn answers(&self) {
        if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
            info!("the store answers again");
        }
    }

    /// What is committed to the log of `run` from now on.
    pub(crate) fn listen(self: &Arc<Self>, run: Uuid) -> Listener {
        let mut runs = self.runs();
        let new = || Listeners { tell: broadcast::channel(BEHIND).0, count: 0 };
        let listeners = runs.entry(run).or_insert_with(new);
        listeners.count += 1;
        Listener { journal: Arc::clone(self), run, grown: listeners.tell.subscribe() }
    }

    /// Changes whenever a pause was opened or settled.
    pub(crate) fn pauses(&self) -> watch::Receiver<u64> {
        self.pauses.subscribe()
    }

    fn has_listeners(&self, run: Uuid) -> bool {
        self.runs().contains_key(&run)
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<Uuid, Listeners>> {
        lock(&self.runs)
    }
}

/// Nothing can panic halfway through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens to one run.
pub(crate) struct Listener {
    pub(crate) journal: Arc<Journal>,
    run: Uuid,
    pub(crate) grown: broadcast::Receiver<Grown>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Entry::Occupied(mut listeners) = self.journal.runs().entry(self.run) {
            listeners.get_mut().count -= 1;
            if listeners.get().count == 0 {
                listeners.remove();
            }
        }
    }
}
