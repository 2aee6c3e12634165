//! Work outside of the log that one run has on its way: nodes that wait for a place, nodes that are
//! executed, and waits before the next attempt.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sluice_domain::run::{Action, Failure, FailureKind, Input, TaskPath};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;
use uuid::Uuid;

use crate::places::{Place, Places};
use crate::{Executors, clock};

/// What work needs, whichever run it is for.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) executors: Executors,
    /// The places of nodes that work outside of the log at the same time.
    pub(crate) nodes: Places,
}

/// The work of one run. Dropping it stops everything.
pub(crate) struct Work {
    tools: Tools,
    workflow: Uuid,
    /// From then on nothing begins: the run is about to be canceled.
    called_off: CancellationToken,
    on_its_way: JoinSet<Done>,
    /// The places of nodes that are about to begin.
    granted: HashMap<TaskPath, Place>,
}

enum Done {
    Granted(TaskPath, Place),
    Say(Input),
}

impl Work {
    pub(crate) fn new(tools: Tools, workflow: Uuid, called_off: CancellationToken) -> Self {
        Self { tools, workflow, called_off, on_its_way: JoinSet::new(), granted: HashMap::new() }
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.on_its_way.is_empty()
    }

    /// Takes a place for a node if there is one now; the run may then be told that it begins.
    pub(crate) fn find_place(&mut self, task: &TaskPath) -> bool {
        let place =
            if self.called_off.is_cancelled() { None } else { self.tools.nodes.try_take(self.workflow) };
        place.map(|place| self.granted.insert(task.clone(), place)).is_some()
    }

    /// Gives the places back of nodes that none of `inputs` begins.
    pub(crate) fn keep_places(&mut self, inputs: &[Input]) {
        self.granted
            .retain(|task, _| inputs.iter().any(|input| matches!(input, Input::Begin(t) if t == task)));
    }

    /// Stops everything.
    pub(crate) fn stop(&mut self) {
        self.on_its_way.abort_all();
        self.granted.clear();
    }

    /// What the run is to be told next; none when nothing is on its way.
    pub(crate) async fn next(&mut self) -> Option<Input> {
        loop {
            match self.on_its_way.join_next().await? {
                Ok(Done::Say(input)) => return Some(input),
                Ok(Done::Granted(task, place)) => {
                    self.granted.insert(task.clone(), place);
                    return Some(Input::Begin(task));
                }
                // What was stopped, when the run has ended.
                Err(stopped) if stopped.is_cancelled() => {}
                Err(error) => error!(%error, "work of a run was lost"),
            }
        }
    }

    /// Performs actions whose events are committed.
    pub(crate) fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Enqueue { task } => self.enqueue(task),
                Action::Execute { .. } => self.execute(action),
                Action::Wait { task, until } => self.wait(task, until),
            }
        }
    }

    fn enqueue(&mut self, task: TaskPath) {
        let turn = self.tools.nodes.queue(self.workflow);
        let called_off = self.called_off.clone();
        self.on_its_way.spawn(async move {
            let place = turn.come().await;
            if called_off.is_cancelled() {
                drop(place);
                std::future::pending().await
            } else {
                Done::Granted(task, place)
            }
        });
    }

    fn execute(&mut self, action: Action) {
        let Action::Execute { task, node_type, effect, inputs } = action else { return };
        let place = self.granted.remove(&task);
        let executors = self.tools.executors.clone();
        self.on_its_way.spawn(async move {
            let execution = executors.execute(&node_type, &effect, inputs);
            let result = AssertUnwindSafe(execution).catch_unwind().await.unwrap_or_else(|_| {
                let error = "The node failed inside of the server.".to_owned();
                Err(Failure { kind: FailureKind::Crash, error })
            });
            drop(place);
            Done::Say(Input::Ended(task, result, clock::now()))
        });
    }

    fn wait(&mut self, task: TaskPath, until: DateTime<Utc>) {
        self.on_its_way.spawn(async move {
            // To the next millisecond: timers are no finer, and too early would be wrong.
            let left = (until - clock::now()).to_std().unwrap_or(Duration::ZERO);
            tokio::time::sleep(left).await;
            Done::Say(Input::BackoffOver(task))
        });
    }
}
