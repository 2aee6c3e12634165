use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::FutureExt as _;
use serde_json::{Map, Value};
use sluice_domain::pause::PauseDecision;
use sluice_domain::run::{Event, Input, Plan, Refusal, Reused, RunState, RunStatus};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use uuid::Uuid;

use crate::dispatcher::{Dispatcher, Wake};
use crate::driver::{Driver, TellError, of_state};
use crate::feed::Journal;
use crate::observe::Observer;
use crate::places::{Place, Places, Turn};
use crate::plans::Plans;
use crate::work::Tools;
use crate::{
    Commit, CommitError, EngineError, Executors, Options, Remember, Rerun, RunRecord, RunStore, StoreError,
    StoredRun, clock, partial,
};

/// How many unfinished runs are read at once at the start.
const RECOVERY_PAGE: u64 = 500;

/// A run that is asked for.
#[derive(Clone, Debug)]
pub struct StartRun {
    /// The workflow.
    pub workflow_id: Uuid,
    /// The version of it that the run is pinned to.
    pub version_id: Uuid,
    /// {input node id: {field: value}}.
    pub inputs: Map<String, Value>,
    /// The run that asks.
    pub parent_run_id: Option<Uuid>,
    /// Which row of the batch `parent_run_id` it is, from 0.
    pub batch_row: Option<i64>,
    /// What the client calls this kind of run.
    pub run_type: String,
    /// What is kept for a client that asks again.
    pub remember: Option<Remember<Snapshot>>,
}

/// A run at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its record.
    pub record: RunRecord,
    /// Its state.
    pub state: RunState,
    /// What it runs.
    pub plan: Arc<Plan>,
    /// What somebody's word has just changed; nothing where it is as it was found.
    pub told: Option<Told>,
}

/// What somebody's word has changed in a run.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its status before.
    pub before: RunStatus,
    /// What has happened.
    pub events: Vec<Event>,
}

/// Starts, settles and cancels runs, and sees to it that they are driven. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    journal: Arc<Journal>,
    tools: Tools,
    /// The places of runs that go on at the same time.
    runs: Places,
    plans: Plans,
    dispatcher: Dispatcher,
    draining: CancellationToken,
    drain: Duration,
}

impl Engine {
    /// An engine over `store`. Nothing runs before [`Self::recover`] or a start.
    #[must_use]
    pub fn new(store: Arc<dyn RunStore>, executors: Executors, options: Options) -> Self {
        let Options { drain, limits, policies, tracer } = options;
        Self(Arc::new(Inner {
            plans: Plans::new(Arc::clone(&store), policies),
            journal: Arc::new(Journal::new(store, Observer::new(tracer))),
            tools: Tools { executors, nodes: Places::new(limits.nodes, limits.nodes) },
            runs: Places::new(limits.runs, limits.runs_per_workflow),
            dispatcher: Dispatcher::default(),
            draining: CancellationToken::new(),
            drain,
        }))
    }

    /// Takes up every run that an earlier server left unfinished; answers how many.
    ///
    /// # Errors
    /// When the store gives no answer.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let (mut taken, mut after) = (0, None);
        loop {
            let runs = self.0.journal.store.driven_runs(after, RECOVERY_PAGE).await?;
            let Some((last, _)) = runs.last().copied() else { break };
            taken += runs.len();
            runs.into_iter().for_each(|(run, workflow)| self.dispatch(run, workflow));
            after = Some(last);
        }
        self.cancel_rows(None).await?;
        if taken > 0 {
            info!(runs = taken, "took up unfinished runs");
        }
        Ok(taken)
    }

    /// Starts a run and answers as soon as it is durable; it is driven in the background.
    ///
    /// # Errors
    /// When the server stops, the version is gone or can't be run, or the store gives no answer.
    pub async fn run_start(&self, start: StartRun) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        uninterrupted(async move {
            let (accepted, driver) = engine.begin(start, None).await?;
            engine.drive(driver, None);
            Ok(accepted)
        })
        .await
    }

    /// Starts a run and waits until it ends, waits for a person, or `deadline` has passed.
    ///
    /// # Errors
    /// As [`Self::run_start`].
    pub async fn run_wait(&self, start: StartRun, deadline: Duration) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        let (snapshot, done) = uninterrupted(async move {
            let (_, driver) = engine.begin(start, None).await?;
            if driver.is_settled() {
                return Ok((driver.into_snapshot(), None));
            }
            let snapshot = driver.snapshot();
            let (tell, done) = oneshot::channel();
            engine.drive(driver, Some(tell));
            Ok((snapshot, Some(done)))
        })
        .await?;
        let Some(done) = done else { return Ok(snapshot) };
        tokio::select! {
            // The driver let the run go, or another drives it: then the run is answered as it is.
            settled = done => match settled {
                Ok(settled) => Ok(settled),
                Err(_) => self.load(snapshot.record.id).await,
            },
            () = tokio::time::sleep(deadline) => self.load(snapshot.record.id).await,
            () = self.drained() => self.load(snapshot.record.id).await,
        }
    }

    /// Waits until a run that was started before ends, waits for a person, or `deadline` has passed.
    ///
    /// # Errors
    /// When there is no such run, or the store gives no answer.
    pub async fn run_await(&self, run_id: Uuid, deadline: Duration) -> Result<Snapshot, EngineError> {
        let mut follow = self.run_follow(run_id, 0).await?;
        let settled = async {
            while follow.next().await?.is_some() {
                let status = self.load(run_id).await?.state.status;
                if status.is_terminal() || status == RunStatus::Paused {
                    break;
                }
            }
            Ok::<(), EngineError>(())
        };
        tokio::select! {
            settled = settled => settled?,
            () = tokio::time::sleep(deadline) => {}
            () = self.drained() => {}
        }
        self.load(run_id).await
    }

    /// Waits until the server stops and has given requests the time to end.
    async fn drained(&self) {
        self.0.draining.cancelled().await;
        tokio::time::sleep(self.0.drain).await;
    }

    /// Settles the open pause at `node_id`, or without one the oldest, and lets the run go on.
    ///
    /// # Errors
    /// When there is no such run or no such open pause, or the store gives no answer.
    pub async fn pause_decide(
        &self,
        run_id: Uuid,
        node_id: Option<String>,
        decision: PauseDecision,
        remember: Option<Remember<Snapshot>>,
    ) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        uninterrupted(async move {
            let settle = Input::Decide(node_id, decision);
            let snapshot = engine.tell_once(run_id, &settle, remember.as_ref()).await?;
            engine.dispatch(run_id, snapshot.record.workflow_id);
            Ok(snapshot)
        })
        .await
    }

    /// Lets a run that has failed go on, from the nodes that failed.
    ///
    /// # Errors
    /// When there is no such run, it has not failed or is a row of a batch that was canceled, or the store
    /// gives no answer.
    pub async fn run_retry(
        &self,
        run_id: Uuid,
        remember: Option<Remember<Snapshot>>,
    ) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        uninterrupted(async move {
            let record = engine.load(run_id).await?.record;
            if let Some(batch) = record.parent_run_id.filter(|_| record.batch_row.is_some())
                && engine.load(batch).await?.state.status == RunStatus::Canceled
            {
                return Err(Refusal::BatchCanceled.into());
            }
            let snapshot = engine.tell_once(run_id, &Input::Retry, remember.as_ref()).await?;
            engine.dispatch(run_id, snapshot.record.workflow_id);
            Ok(snapshot)
        })
        .await
    }

    /// Starts a run that takes over results of another, and answers as soon as it is durable.
    ///
    /// # Errors
    /// [`EngineError::Rerun`] with the reason when it can't be made so; otherwise as [`Self::run_start`].
    pub async fn run_rerun(&self, rerun: Rerun) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        uninterrupted(async move {
            let old = engine.load(rerun.run_id).await?;
            let plan = engine.0.plans.get(rerun.version_id.unwrap_or(old.record.version_id)).await?;
            let (start, reused) = rerun.prepare(&old, &plan)?;
            let (accepted, driver) = engine.begin(start, Some(reused)).await?;
            engine.drive(driver, None);
            Ok(accepted)
        })
        .await
    }

    /// Calls a run off. What is at work stops.
    ///
    /// # Errors
    /// When there is no such run or it has ended, or the store gives no answer.
    pub async fn run_cancel(
        &self,
        run_id: Uuid,
        remember: Option<Remember<Snapshot>>,
    ) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        uninterrupted(async move {
            let snapshot = engine.tell_once(run_id, &Input::Cancel, remember.as_ref()).await?;
            engine.0.dispatcher.wake(run_id);
            Ok(snapshot)
        })
        .await
    }

    /// Runs one node without keeping anything; answers {node id: output}.
    ///
    /// # Errors
    /// [`EngineError::Partial`] with the reason when the node can't be run so, or not until `deadline` has passed;
    /// [`EngineError::Draining`] when the server stops.
    pub async fn run_partial(
        &self,
        partial: crate::PartialRun,
        deadline: Duration,
    ) -> Result<Map<String, Value>, EngineError> {
        if self.0.draining.is_cancelled() {
            return Err(EngineError::Draining);
        }
        let plan = self.0.plans.get(partial.version_id).await?;
        tokio::select! {
            outputs = partial::run(&plan, self.0.tools.clone(), partial) => outputs,
            () = tokio::time::sleep(deadline) => {
                let reason = format!("It has not ended in {deadline:?}. Start a run, which goes on without a caller.");
                Err(EngineError::Partial(reason))
            }
            () = self.drained() => Err(EngineError::Draining),
        }
    }

    /// The run that this record and log tell of.
    ///
    /// # Errors
    /// When its version is gone or can't be read, or the store gives no answer.
    pub async fn snapshot(&self, record: RunRecord, log: &[Event]) -> Result<Snapshot, EngineError> {
        /// How many events are folded while others wait.
        const FEW: usize = 2_000;
        let plan = self.0.plans.get(record.version_id).await?;
        let fold = || RunState::from_log(log);
        let state = if log.len() > FEW { tokio::task::block_in_place(fold) } else { fold() };
        Ok(Snapshot { record, state, plan, told: None })
    }

    /// Changes whenever a pause was opened or settled, or a run ended.
    #[must_use]
    pub fn pauses_changed(&self) -> watch::Receiver<u64> {
        self.0.journal.pauses()
    }

    /// Becomes true when the server begins to stop.
    #[must_use]
    pub fn draining(&self) -> CancellationToken {
        self.0.draining.clone()
    }

    /// The places of runs and of nodes.
    pub(crate) fn places(&self) -> (&Places, &Places) {
        (&self.0.runs, &self.0.tools.nodes)
    }

    /// Lets the driver of a run go.
    pub(crate) fn let_go(&self, run: Uuid) {
        self.0.dispatcher.let_go(run);
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.0.journal
    }

    /// Starts nothing new from now on. Requests that wait for a run get some more time.
    pub fn drain(&self) {
        self.0.draining.cancel();
    }

    /// Stops every driver where it stands. The runs go on at the next start.
    pub async fn stop(&self) {
        self.drain();
        self.0.dispatcher.stop().await;
        self.0.journal.observer.stop();
    }

    /// Commits the beginning of a run, as it was accepted and as it is then. One that need not wait for others
    /// goes on in the same commit: a run without effects is done with it.
    async fn begin(
        &self,
        start: StartRun,
        reused: Option<Vec<Reused>>,
    ) -> Result<(Snapshot, Driver), EngineError> {
        if self.0.draining.is_cancelled() {
            return Err(EngineError::Draining);
        }
        let StartRun { workflow_id, version_id, inputs, parent_run_id, batch_row, run_type, remember } =
            start;
        let record = RunRecord { parent_run_id, batch_row, ..record(workflow_id, version_id, run_type) };
        let mut driver = self.new_driver(record).await?;
        driver.remember = remember;
        driver.place = self.0.runs.try_take(workflow_id);
        driver.wake = Some(self.0.dispatcher.reserve(driver.record.id));
        let inputs = [Input::Start(Arc::new(inputs))].into_iter().chain(reused.map(Input::Reuse));
        self.first(driver, inputs.collect()).await
    }

    /// A driver of a run that is about to begin.
    pub(crate) async fn new_driver(&self, record: RunRecord) -> Result<Driver, EngineError> {
        let plan = self.0.plans.get(record.version_id).await?;
        Ok(self.driver(Snapshot { record, state: RunState::default(), plan, told: None }))
    }

    /// Tells a run the first that it is ever told.
    pub(crate) async fn first(
        &self,
        mut driver: Driver,
        inputs: Vec<Input>,
    ) -> Result<(Snapshot, Driver), EngineError> {
        let (run, workflow) = (driver.record.id, driver.record.workflow_id);
        let begun = driver.begin(inputs).await;
        let is_reserved = driver.wake.is_some();
        let has_news =
            is_reserved && (begun.is_err() || driver.is_settled()) && !self.0.dispatcher.retire(run);
        if has_news {
            self.0.dispatcher.let_go(run);
        }
        // It may have been kept although no answer came: then it has to be driven.
        if has_news || matches!(begun, Err(TellError::Commit(CommitError::Store(_)))) {
            self.dispatch(run, workflow);
        }
        begun.map(|accepted| (accepted, driver)).map_err(Into::into)
    }

    pub(crate) fn driver(&self, run: Snapshot) -> Driver {
        Driver::new(Arc::clone(&self.0.journal), self.0.tools.clone(), run)
    }

    /// Drives a run that was just begun; tells `done` what it came to.
    fn drive(&self, mut driver: Driver, done: Option<oneshot::Sender<Snapshot>>) {
        if driver.is_settled() {
            return;
        }
        let (run, workflow, engine) = (driver.record.id, driver.record.workflow_id, self.clone());
        if driver.place.is_none() && done.is_none() {
            // What waits for its turn waits in the store, and not here.
            self.0.dispatcher.let_go(run);
            return self.dispatch(run, workflow);
        }
        let wake = driver.wake.take().unwrap_or_else(|| self.0.dispatcher.reserve(run));
        let turn = driver.place.take().map_or_else(|| self.0.runs.queue(workflow), Turn::Now);
        let drive = async move {
            driver.place = engine.take_place(run, turn, &wake).await;
            if driver.place.is_none() {
                return engine.0.dispatcher.let_go(run);
            }
            let driven = driver.drive(Input::Advance, wake, engine.0.dispatcher.clone()).await;
            if let (Some(driver), Some(done)) = (driven, done) {
                // Whoever waited may have gone.
                let _ = done.send(driver.into_snapshot());
            }
        };
        self.0.dispatcher.spawn(run, drive, self.dispatching(run, workflow));
    }

    /// Sees to it that the run is driven.
    pub(crate) fn dispatch(&self, run_id: Uuid, workflow_id: Uuid) {
        let drive = |wake: Arc<Wake>| {
            // Queued here, so that runs that are taken up again come in their order.
            let turn = self.0.runs.queue(workflow_id);
            let engine = self.clone();
            async move { engine.take_up(run_id, turn, wake).await }
        };
        self.0.dispatcher.dispatch(run_id, drive, self.dispatching(run_id, workflow_id));
    }

    /// What dispatches the run once more.
    fn dispatching(&self, run_id: Uuid, workflow_id: Uuid) -> impl FnOnce() + Send + 'static {
        let engine = self.clone();
        move || engine.dispatch(run_id, workflow_id)
    }

    /// Drives a run from where its log ends.
    async fn take_up(&self, run_id: Uuid, turn: Turn, wake: Arc<Wake>) {
        let dispatcher = self.0.dispatcher.clone();
        // Before it is read: many may wait.
        let Some(place) = self.take_place(run_id, turn, &wake).await else {
            return dispatcher.let_go(run_id);
        };
        match self.load_patiently(run_id).await {
            // Its rows take places of their own.
            Ok(run) if run.state.batch.is_some() => {
                drop(place);
                self.drive_batch(run, &wake).await;
            }
            Ok(run) => {
                let mut driver = self.driver(run);
                driver.place = Some(place);
                driver.drive(Input::Recover, wake, dispatcher).await;
            }
            // It was deleted meanwhile, or never kept.
            Err(EngineError::NotFound) => dispatcher.let_go(run_id),
            Err(cause) => {
                let cause: &dyn std::error::Error = &cause;
                error!(run = %run_id, cause, "a run can't be driven");
                dispatcher.let_go(run_id);
            }
        }
    }

    /// Waits for a place among the runs that go on at the same time; none when the run has ended meanwhile
    /// or is gone.
    async fn take_place(&self, run_id: Uuid, turn: Turn, wake: &Wake) -> Option<Place> {
        let mut turn = std::pin::pin!(turn.come());
        loop {
            tokio::select! {
                biased;
                place = &mut turn => return Some(place),
                () = wake.woken() => {
                    let run = self.load_patiently(run_id).await.ok()?;
                    if run.state.status.is_terminal() {
                        return None;
                    }
                }
            }
        }
    }

    async fn load(&self, run_id: Uuid) -> Result<Snapshot, EngineError> {
        let run = self.0.journal.store.run(run_id).await?.ok_or(EngineError::NotFound)?;
        self.snapshot(run.record, &run.log).await
    }

    pub(crate) async fn load_patiently(&self, run_id: Uuid) -> Result<Snapshot, EngineError> {
        let mut backoff = Duration::from_millis(50);
        loop {
            match self.load(run_id).await {
                Err(EngineError::Store(cause)) if !matches!(cause, StoreError::Unreadable { .. }) => {
                    self.0.journal.gives_no_answer(&cause);
                    tokio::time::sleep(backoff).await;
                }
                loaded => return loaded,
            }
            backoff = (backoff * 2).min(Duration::from_secs(5));
        }
    }

    /// Tells a run something from outside of its driver, however often its log grows meanwhile.
    pub(crate) async fn tell(&self, run_id: Uuid, input: &Input) -> Result<Snapshot, EngineError> {
        self.tell_once(run_id, input, None).await
    }

    /// As [`Self::tell`]; what is to be remembered of it is kept with it.
    async fn tell_once(
        &self,
        run_id: Uuid,
        input: &Input,
        remember: Option<&Remember<Snapshot>>,
    ) -> Result<Snapshot, EngineError> {
        loop {
            let StoredRun { record, log } =
                self.0.journal.store.run(run_id).await?.ok_or(EngineError::NotFound)?;
            let mut snapshot = self.snapshot(record, &log).await?;
            let first = snapshot.state.length;
            let decision = partial::decide_aside(&snapshot.plan, &mut snapshot.state, input.clone())?;
            if decision.events.is_empty() {
                return Ok(snapshot);
            }
            snapshot.told = Some(Told { before: snapshot.record.status, events: decision.events.clone() });
            snapshot.record = of_state(&snapshot.record, &snapshot.state);
            let commit = Commit {
                record: snapshot.record.clone(),
                first,
                events: decision.events,
                rows: Vec::new(),
                kept: remember.map(|remember| remember.of(&snapshot)).unwrap_or_default(),
            };
            match self.0.journal.commit(commit, &snapshot.plan, &snapshot.state).await {
                Ok(()) => return Ok(snapshot),
                // Each round that is lost was won by somebody else: this comes to an end.
                Err(CommitError::Conflict) => {}
                Err(CommitError::Gone) => return Err(EngineError::NotFound),
                Err(CommitError::Store(error)) => {
                    // It may have been kept although no answer came: then the run has to go on.
                    self.dispatch(run_id, snapshot.record.workflow_id);
                    return Err(error.into());
                }
            }
        }
    }
}

/// The record of a run that is about to begin.
pub(crate) fn record(workflow_id: Uuid, version_id: Uuid, run_type: String) -> RunRecord {
    RunRecord {
        id: clock::new_id(),
        workflow_id,
        version_id,
        parent_run_id: None,
        batch_row: None,
        dataset_id: None,
        run_type,
        start_time: clock::now(),
        status: RunStatus::Pending,
        end_time: None,
        has_open_pause: false,
    }
}

/// Lets `work` finish although whoever asked for it goes away: between a commit and what follows from
/// it nothing may be dropped.
pub(crate) async fn uninterrupted<T: Send + 'static>(
    work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Result<T, EngineError> {
    // In the trace of whoever asked.
    match tokio::spawn(work.with_current_context()).await {
        Ok(result) => result,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        Err(_) => Err(EngineError::Draining),
    }
}
