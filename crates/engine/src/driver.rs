use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sluice_domain::run::{Action, Decision, Event, Input, Plan, RunState, RunStatus};
use tracing::warn;

use crate::dispatcher::{Dispatcher, Wake};
use crate::engine::Snapshot;
use crate::feed::Journal;
use crate::partial::decide_aside;
use crate::places::Place;
use crate::work::{Tools, Work};
use crate::{Commit, CommitError, EngineError, Kept, Remember, RunRecord, StoreError};

/// How long a driver waits for a store that gives no answer: at first, and at the most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Brings one run on: decides, commits, acts, and takes what comes of the actions back in.
pub(crate) struct Driver {
    journal: Arc<Journal>,
    plan: Arc<Plan>,
    pub(crate) record: RunRecord,
    state: RunState,
    /// The place among the runs that go on at the same time, once there is one.
    pub(crate) place: Option<Place>,
    /// By which it is woken, while it is not driven yet.
    pub(crate) wake: Option<Arc<Wake>>,
    /// The rows of a batch that is about to begin.
    pub(crate) rows: Vec<String>,
    /// What is kept with the first commit for a client that asks again.
    pub(crate) remember: Option<Remember<Snapshot>>,
    /// What the run is to be told next.
    inbox: VecDeque<Input>,
    work: Work,
}

/// Events that were decided, and what is to be done once they are committed.
struct Step {
    commit: Option<Commit>,
    actions: Vec<Action>,
    /// Whether the run is to be told to go on at once.
    has_more: bool,
}

impl Step {
    /// Adds what was decided next.
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
    pub(crate) fn new(journal: Arc<Journal>, tools: Tools, run: Snapshot) -> Self {
        let Snapshot { record, state, plan, told: _ } = run;
        let batch = record.parent_run_id.filter(|_| record.batch_row.is_some());
        let rows = batch.and_then(|batch| journal.driven_batch(batch));
        let work = Work::new(tools, record.workflow_id, rows.map(|rows| rows.called_off).unwrap_or_default());
        Self {
            journal,
            plan,
            record,
            state,
            place: None,
            wake: None,
            rows: Vec::new(),
            remember: None,
            inbox: VecDeque::new(),
            work,
        }
    }

    /// The run as the driver has it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let (record, state, plan) = (self.record.clone(), self.state.clone(), Arc::clone(&self.plan));
        Snapshot { record, state, plan, told: None }
    }

    /// The run, once nothing more is to be driven.
    pub(crate) fn into_snapshot(self) -> Snapshot {
        let Self { record, state, plan, .. } = self;
        Snapshot { record, state, plan, told: None }
    }

    /// Tells a run its first `inputs` and, if it has a place, to go on, in one commit; starts what follows from
    /// them. Answers the run as it was accepted.
    ///
    /// # Errors
    /// When an input is refused, or the commit failed. Nothing has happened then, but `self` is spent.
    pub(crate) async fn begin(&mut self, inputs: Vec<Input>) -> Result<Snapshot, TellError> {
        let mut step = self.decide(inputs)?;
        let accepted = self.snapshot();
        if self.place.is_some() {
            step.join(self.decide(vec![Input::Advance])?);
        }
        if let Some(mut commit) = step.commit {
            commit.kept = self.remember.take().map(|remember| remember.of(&accepted)).unwrap_or_default();
            self.journal.commit(commit, &self.plan, &self.state).await?;
        }
        self.act(step.actions, step.has_more);
        Ok(accepted)
    }

    /// Drives the run until it ends or waits for a person; says what it came to.
    pub(crate) async fn drive(
        mut self,
        first: Input,
        wake: Arc<Wake>,
        dispatcher: Dispatcher,
    ) -> Option<Self> {
        self.inbox.push_back(first);
        match self.drive_to_rest(&wake, &dispatcher).await {
            Ok(()) => Some(self),
            Err(gone) => {
                let reason: &dyn std::error::Error = &gone;
                warn!(run = %self.record.id, reason, "the driver lets the run go");
                self.journal.observer.forget(self.record.id);
                dispatcher.let_go(self.record.id);
                None
            }
        }
    }

    async fn drive_to_rest(&mut self, wake: &Wake, dispatcher: &Dispatcher) -> Result<(), EngineError> {
        loop {
            while let Some(input) = self.inbox.pop_front() {
                self.take(input).await?;
            }
            if self.is_settled() {
                if dispatcher.retire(self.record.id) {
                    return Ok(());
                }
                self.reload_patiently().await?;
                self.inbox.push_back(Input::Advance);
                continue;
            }
            tokio::select! {
                Some(input) = self.work.next() => self.inbox.push_back(input),
                () = wake.woken() => {
                    self.reload_patiently().await?;
                    self.inbox.push_back(Input::Advance);
                }
            }
        }
    }

    /// Whether nothing is at work and nothing will be before somebody speaks to the run.
    pub(crate) fn is_settled(&self) -> bool {
        self.state.status.is_terminal() || (self.work.is_empty() && self.state.status == RunStatus::Paused)
    }

    /// Takes one input in, however often the log grows meanwhile or the store gives no answer.
    async fn take(&mut self, input: Input) -> Result<(), EngineError> {
        loop {
            // Gather the results that are there already: they are committed together.
            let mut inputs = vec![input.clone()];
            inputs.extend(self.inbox.drain(..));
            let step = match self.decide(inputs.clone()) {
                Ok(step) => step,
                Err(TellError::Refused(refusal)) => return Err(refusal.into()),
                Err(TellError::Commit(_)) => return Err(EngineError::NotFound),
            };
            let committed = match step.commit {
                Some(commit) => self.commit_patiently(commit).await?,
                None => true,
            };
            if committed {
                self.act(step.actions, step.has_more);
                return Ok(());
            }
            self.work.keep_places(&inputs);
            self.inbox.extend(inputs.into_iter().skip(1));
        }
    }

    /// Decides on all of `inputs` in turn. Nodes that find a place begin in the same commit.
    fn decide(&mut self, inputs: Vec<Input>) -> Result<Step, TellError> {
        let first = self.state.length;
        let mut step = Step { commit: None, actions: Vec::new(), has_more: false };
        let mut events: Vec<Event> = Vec::new();
        let mut inputs = VecDeque::from(inputs);
        while let Some(input) = inputs.pop_front() {
            let Decision { events: more, actions, has_more } =
                decide_aside(&self.plan, &mut self.state, input).map_err(TellError::Refused)?;
            events.extend(more);
            step.has_more |= has_more;
            for action in actions {
                match action {
                    Action::Enqueue { task } if self.work.find_place(&task) => {
                        inputs.push_back(Input::Begin(task))
                    }
                    action => step.actions.push(action),
                }
            }
        }
        if !events.is_empty() {
            self.record = of_state(&self.record, &self.state);
            step.commit = Some(Commit {
                record: self.record.clone(),
                first,
                events,
                rows: std::mem::take(&mut self.rows),
                kept: Kept::default(),
            });
        }
        Ok(step)
    }

    /// Commits, waiting for a store that gives no answer. Answers `false` when somebody else's events
    /// took the place: the state is then that of the log, and the inputs are to be decided on again.
    async fn commit_patiently(&mut self, commit: Commit) -> Result<bool, EngineError> {
        let mut backoff = BACKOFF.0;
        loop {
            match self.journal.commit(commit.clone(), &self.plan, &self.state).await {
                Ok(()) => return Ok(true),
                Err(CommitError::Gone) => return Err(EngineError::NotFound),
                Err(CommitError::Conflict) => {
                    self.reload_patiently().await?;
                    // An earlier try may have been committed although no answer came.
                    let ours = self.log_holds(&commit).await;
                    if ours {
                        let observer = &self.journal.observer;
                        observer.take(&observer.news(&commit, &self.plan, &self.state));
                    }
                    return Ok(ours);
                }
                Err(CommitError::Store(cause)) => self.wait(&mut backoff, &cause).await,
            }
        }
    }

    async fn log_holds(&self, commit: &Commit) -> bool {
        let mut backoff = BACKOFF.0;
        loop {
            match self.journal.store.log_from(self.record.id, commit.first).await {
                Ok(log) => return log.starts_with(&commit.events),
                Err(cause) => self.wait(&mut backoff, &cause).await,
            }
        }
    }

    /// Brings the state to where the log is.
    async fn reload_patiently(&mut self) -> Result<(), EngineError> {
        let mut backoff = BACKOFF.0;
        loop {
            match self.journal.store.log_from(self.record.id, 0).await {
                // Every run has an event: this one was deleted.
                Ok(log) if log.is_empty() => return Err(EngineError::NotFound),
                Err(unreadable @ StoreError::Unreadable { .. }) => return Err(unreadable.into()),
                Ok(log) => {
                    self.state = RunState::from_log(&log);
                    self.record = of_state(&self.record, &self.state);
                    if self.state.status.is_terminal() {
                        self.work.stop();
                    }
                    return Ok(());
                }
                Err(cause) => self.wait(&mut backoff, &cause).await,
            }
        }
    }

    async fn wait(&self, backoff: &mut Duration, cause: &StoreError) {
        self.journal.gives_no_answer(cause);
        tokio::time::sleep(*backoff).await;
        *backoff = (*backoff * 2).min(BACKOFF.1);
    }

    /// Performs what follows from events that are committed.
    fn act(&mut self, actions: Vec<Action>, has_more: bool) {
        self.work.perform(actions);
        self.work.keep_places(&[]);
        if has_more {
            self.inbox.push_back(Input::Advance);
        }
        if self.state.status.is_terminal() {
            self.work.stop();
        }
    }
}

/// Why a run could not be told something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TellError {
    #[error(transparent)]
    Refused(#[from] sluice_domain::run::Refusal),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<TellError> for EngineError {
    fn from(error: TellError) -> Self {
        match error {
            TellError::Refused(refusal) => refusal.into(),
            TellError::Commit(CommitError::Store(error)) => error.into(),
            TellError::Commit(CommitError::Gone | CommitError::Conflict) => Self::NotFound,
        }
    }
}

/// The record of a run in this state.
pub(crate) fn of_state(record: &RunRecord, state: &RunState) -> RunRecord {
    RunRecord {
        start_time: state.started_at.unwrap_or(record.start_time),
        status: state.status,
        end_time: state.ended_at,
        has_open_pause: state.open_pauses().next().is_some(),
        ..record.clone()
    }
}
