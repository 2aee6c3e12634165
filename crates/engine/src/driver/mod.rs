pub(crate) mod decide;
pub(crate) mod dispatcher;
pub(crate) mod task_runner;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sluice_domain::run::{Action, Decision, Event, Input, InputError, Plan, RunState, RunStatus};
use tracing::warn;

use crate::change::{AuditEntry, ChangeOrigin, RunOutcome, RunSideRecords, Subject};
use crate::error::EngineError;
use crate::fair_semaphore::Permit;
use crate::journal::Journal;
use crate::snapshot::Snapshot;
use crate::store::{Commit, CommitError, RunRecord, StoreError};
use decide::decide_now;
use dispatcher::{Dispatcher, Wake};
use task_runner::{RunnerContext, TaskRunner};

/// Minimum and maximum delay between attempts to reach an unavailable store.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Drives one run: decides inputs, commits the events and performs the actions. The results of actions are the next
/// inputs.
pub(crate) struct Driver {
    journal: Arc<Journal>,
    plan: Arc<Plan>,
    pub(crate) record: RunRecord,
    state: RunState,
    /// The slot of the concurrency limit, if the run has one.
    pub(crate) permit: Option<Permit>,
    /// The reserved wake, until the driver is spawned.
    pub(crate) wake: Option<Arc<Wake>>,
    /// The rows of a batch that is about to start.
    pub(crate) rows: Vec<String>,
    /// The origin of the run, until its start is committed.
    pub(crate) origin: Option<ChangeOrigin>,
    /// True if the caller waits for the end of the run.
    pub(crate) is_awaited: bool,
    /// Inputs to decide next.
    inbox: VecDeque<Input>,
    tasks: TaskRunner,
}

/// Decided events, and the actions to perform after their commit.
struct Step {
    commit: Option<Commit>,
    actions: Vec<Action>,
    /// True if [`Input::Advance`] must be decided next.
    has_more: bool,
}

impl Step {
    /// Appends the next step.
    fn join(&mut self, next: Self) {
        self.commit = match (self.commit.take(), next.commit) {
            (Some(first), Some(next)) => {
                Some(Commit { record: next.record, events: [first.events, next.events].concat(), ..first })
            }
            (first, next) => first.or(next),
        };
        self.actions.extend(next.actions);
        self.has_more |= next.has_more;
    }
}

impl Driver {
    pub(crate) fn new(journal: Arc<Journal>, context: RunnerContext, run: Snapshot) -> Self {
        let Snapshot { record, state, plan } = run;
        let signals = record.batch().and_then(|batch| journal.batches().get(batch));
        let canceled = signals.map(|signals| signals.canceled).unwrap_or_default();
        let tasks = TaskRunner::new(context, record.workflow_id, canceled);
        Self {
            journal,
            plan,
            record,
            state,
            permit: None,
            wake: None,
            rows: Vec::new(),
            origin: None,
            is_awaited: false,
            inbox: VecDeque::new(),
            tasks,
        }
    }

    /// Returns the run in its current state.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { record: self.record.clone(), state: self.state.clone(), plan: Arc::clone(&self.plan) }
    }

    /// Converts the driver to the run in its current state.
    pub(crate) fn into_snapshot(self) -> Snapshot {
        Snapshot { record: self.record, state: self.state, plan: self.plan }
    }

    /// Starts the run with `inputs` and returns it in its accepted state. If the driver has a permit, the run also
    /// advances in the same commit.
    ///
    /// # Errors
    /// An input was rejected or the commit failed. Nothing was written, but the driver must not be used again.
    pub(crate) async fn start(&mut self, inputs: Vec<Input>) -> Result<Snapshot, AppendError> {
        let mut step = self.decide(inputs)?;
        let accepted = self.snapshot();
        let side_records = self.origin.take().map(|origin| self.start_records(origin));
        if self.permit.is_some() {
            step.join(self.decide(vec![Input::Advance])?);
        }
        if let Some(mut commit) = step.commit {
            commit.side_records = side_records;
            self.journal.commit(commit, &self.plan, &self.state).await?;
        }
        self.act(step.actions, step.has_more);
        Ok(accepted)
    }

    /// Returns the side records of the start. Writes audit entries only on servers with API keys: without them, an
    /// entry would add nothing to the log of the run.
    fn start_records(&self, origin: ChangeOrigin) -> RunSideRecords {
        let (run_id, status) = (self.record.id, self.record.status.as_str());
        let audit = match origin.actor {
            Some(_) => vec![AuditEntry::new(Subject::Run, run_id).with_states(None, Some(status.to_owned()))],
            None => Vec::new(),
        };
        let outcome = match self.is_awaited {
            true => RunOutcome::Awaited { run_id },
            false => RunOutcome::Changed { run_id, log_length: self.state.length },
        };
        RunSideRecords { origin, audit, outcome }
    }

    /// Drives the run until it ends or pauses. Returns `None` if an error made the driver give up.
    pub(crate) async fn drive(
        mut self,
        first: Input,
        wake: Arc<Wake>,
        dispatcher: Dispatcher,
    ) -> Option<Self> {
        self.inbox.push_back(first);
        match self.drive_until_idle(&wake, &dispatcher).await {
            Ok(()) => Some(self),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                warn!(run = %self.record.id, error, "driver gave up");
                self.journal.telemetry.remove_run(self.record.id);
                dispatcher.remove(self.record.id);
                None
            }
        }
    }

    async fn drive_until_idle(&mut self, wake: &Wake, dispatcher: &Dispatcher) -> Result<(), EngineError> {
        loop {
            while let Some(input) = self.inbox.pop_front() {
                self.handle(input).await?;
            }
            if self.is_idle() {
                if dispatcher.try_remove(self.record.id) {
                    return Ok(());
                }
                self.reload().await?;
                self.inbox.push_back(Input::Advance);
                continue;
            }
            tokio::select! {
                Some(input) = self.tasks.next_input() => self.inbox.push_back(input),
                () = wake.wait() => {
                    self.reload().await?;
                    self.inbox.push_back(Input::Advance);
                }
            }
        }
    }

    /// Returns true if the run doesn't advance without an operation on it.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.status.is_terminal() || (self.tasks.is_empty() && self.state.status == RunStatus::Paused)
    }

    /// Decides and commits one input together with all inputs in the inbox. Retries while other writers append to the
    /// log or the store is unavailable.
    async fn handle(&mut self, input: Input) -> Result<(), EngineError> {
        loop {
            let mut inputs = vec![input.clone()];
            inputs.extend(self.inbox.drain(..));
            let step = self.decide(inputs.clone())?;
            let is_committed = match step.commit {
                Some(commit) => self.commit(commit).await?,
                None => true,
            };
            if is_committed {
                self.act(step.actions, step.has_more);
                return Ok(());
            }
            self.tasks.release_permits_except(&inputs);
            self.inbox.extend(inputs.into_iter().skip(1));
        }
    }

    /// Decides `inputs` in order. Nodes that get a slot start in the same commit.
    fn decide(&mut self, inputs: Vec<Input>) -> Result<Step, InputError> {
        let first = self.state.length;
        let mut step = Step { commit: None, actions: Vec::new(), has_more: false };
        let mut events: Vec<Event> = Vec::new();
        let mut inputs = VecDeque::from(inputs);
        while let Some(input) = inputs.pop_front() {
            let decision = decide_now(&self.plan, &mut self.state, input)?;
            let Decision { events: new_events, actions, has_more } = decision;
            events.extend(new_events);
            step.has_more |= has_more;
            for action in actions {
                match action {
                    Action::Enqueue { task } if self.tasks.try_acquire(&task) => {
                        inputs.push_back(Input::StartTask(task))
                    }
                    action => step.actions.push(action),
                }
            }
        }
        if !events.is_empty() {
            self.record = self.record.with_state(&self.state);
            step.commit = Some(Commit {
                record: self.record.clone(),
                first,
                events,
                rows: std::mem::take(&mut self.rows),
                side_records: None,
            });
        }
        Ok(step)
    }

    /// Commits events, retrying while the store is unavailable. If another writer appended first, reloads the state and
    /// returns false: the inputs must be decided again.
    async fn commit(&mut self, commit: Commit) -> Result<bool, EngineError> {
        let mut backoff = BACKOFF.0;
        loop {
            match self.journal.commit(commit.clone(), &self.plan, &self.state).await {
                Ok(()) => return Ok(true),
                Err(CommitError::Gone) => return Err(EngineError::NotFound),
                Err(CommitError::Conflict) => {
                    self.reload().await?;
                    // An earlier attempt may have succeeded although its reply was lost.
                    let is_committed = self.log_contains(&commit).await;
                    if is_committed {
                        let telemetry = &self.journal.telemetry;
                        telemetry.record(&telemetry.summarize(&commit, &self.plan, &self.state));
                    }
                    return Ok(is_committed);
                }
                Err(CommitError::Store(cause)) => self.wait_for_store(&mut backoff, &cause).await,
            }
        }
    }

    async fn log_contains(&self, commit: &Commit) -> bool {
        let mut backoff = BACKOFF.0;
        loop {
            match self.journal.store.log_from(self.record.id, commit.first).await {
                Ok(log) => return log.starts_with(&commit.events),
                Err(cause) => self.wait_for_store(&mut backoff, &cause).await,
            }
        }
    }

    /// Reloads the state from the log, retrying while the store is unavailable.
    async fn reload(&mut self) -> Result<(), EngineError> {
        let mut backoff = BACKOFF.0;
        loop {
            match self.journal.store.log_from(self.record.id, 0).await {
                // Every run has at least one event. An empty log means that the run was deleted.
                Ok(log) if log.is_empty() => return Err(EngineError::NotFound),
                Err(error @ StoreError::Unreadable { .. }) => return Err(error.into()),
                Ok(log) => {
                    self.state = RunState::from_log(&log);
                    self.record = self.record.with_state(&self.state);
                    if self.state.status.is_terminal() {
                        self.tasks.stop();
                    }
                    return Ok(());
                }
                Err(cause) => self.wait_for_store(&mut backoff, &cause).await,
            }
        }
    }

    async fn wait_for_store(&self, backoff: &mut Duration, cause: &StoreError) {
        self.journal.report_store_unavailable(cause);
        tokio::time::sleep(*backoff).await;
        *backoff = (*backoff * 2).min(BACKOFF.1);
    }

    /// Performs the actions of committed events.
    fn act(&mut self, actions: Vec<Action>, has_more: bool) {
        self.tasks.perform(actions);
        self.tasks.release_permits_except(&[]);
        if has_more {
            self.inbox.push_back(Input::Advance);
        }
        if self.state.status.is_terminal() {
            self.tasks.stop();
        }
    }
}

/// Errors of appending to the log of a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    #[error(transparent)]
    Rejected(#[from] InputError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<AppendError> for EngineError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Rejected(error) => error.into(),
            AppendError::Commit(CommitError::Store(error)) => error.into(),
            AppendError::Commit(CommitError::Gone | CommitError::Conflict) => Self::NotFound,
        }
    }
}
