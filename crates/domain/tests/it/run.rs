use std::sync::Arc;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sluice_domain::Definition;
use sluice_domain::pause::{PauseAction, PauseDecision};
use sluice_domain::run::{
    Action, Event, Failure, Input, LoopIteration, Plan, RunState, RunStatus, TaskPath, TaskStatus, decide,
};

use crate::kinds::{KINDS, TestKinds, link, loop_node, node};

/// Generates acyclic definitions with nodes of every type. Links lead only to later nodes.
fn dags() -> impl Strategy<Value = Definition> {
    let nodes = proptest::collection::vec((0..KINDS.len(), 0..4u32, 0..6usize), 1..12);
    (nodes, proptest::collection::vec((0..12usize, 0..12usize, any::<bool>()), 0..24)).prop_map(build)
}

/// A random node: node type, iterations, and node type inside a loop.
type RandomNode = (usize, u32, usize);

fn build((kinds, pairs): (Vec<RandomNode>, Vec<(usize, usize, bool)>)) -> Definition {
    let mut definition = Definition { nodes: vec![node("n0", "InputNode")], ..Definition::default() };
    for (index, (kind, iterations, inner)) in kinds.iter().enumerate() {
        let id = format!("n{}", index + 1);
        definition.nodes.push(match KINDS[*kind] {
            "ForLoopNode" => loop_node(&id, *iterations, KINDS[*inner]),
            kind => node(&id, kind),
        });
    }
    let count = definition.nodes.len();
    for (a, b, route) in pairs {
        let (a, b) = (a % count, b % count);
        if a != b {
            let route = if route { "a" } else { "b" };
            let (source, target) = (format!("n{}", a.min(b)), format!("n{}", a.max(b)));
            definition.links.push(link(&source, &target, Some(route)));
        }
    }
    definition
}

/// A simulated engine. Results depend only on the node and arrive in any order.
struct Simulation {
    plan: Plan,
    state: RunState,
    log: Vec<Event>,
    /// The length of the log after each commit.
    commits: Vec<usize>,
    /// Pending inputs.
    work: Vec<Input>,
    time: i64,
}

impl Simulation {
    fn new(definition: &Definition) -> Self {
        let plan = Plan::build(definition, &TestKinds).unwrap();
        let (state, log, commits, work) = (RunState::default(), Vec::new(), Vec::new(), Vec::new());
        Self { plan, state, log, commits, work, time: 0 }
    }

    fn send(&mut self, input: Input) {
        self.time += 1;
        let now = DateTime::from_timestamp(self.time, 0).unwrap();
        let decision = decide(&self.plan, &mut self.state, input, now).unwrap();
        self.log.extend(decision.events);
        self.commits.push(self.log.len());
        let has_more = decision.has_more;
        for action in decision.actions {
            self.work.push(self.perform(action, now));
        }
        if has_more {
            self.send(Input::Advance);
        }
    }

    fn perform(&self, action: Action, now: DateTime<Utc>) -> Input {
        match action {
            Action::Enqueue { task } => Input::StartTask(task),
            Action::Wait { task, .. } => Input::RetryTask(task),
            Action::Execute { task, node_type, inputs, .. } => {
                let is_first = self.state.task(&task).is_none_or(|state| state.failures == 0);
                let result = match &*node_type {
                    "Flaky" if is_first => Err(Failure::error(format!("{task} failed once"))),
                    "Effect" | "Flaky" => Ok(json!({"did": task.to_string(), "with": *inputs})),
                    _ => Err(Failure::error(format!("{task} failed"))),
                };
                Input::EndTask { task, result, at: now }
            }
        }
    }

    /// Performs one pending step, selected by `choice`. Returns false if no step is left.
    fn step(&mut self, choice: usize) -> bool {
        if !self.work.is_empty() {
            let input = self.work.remove(choice % self.work.len());
            self.send(input);
            return true;
        }
        let open: Vec<String> = self.state.open_pauses().map(|pause| pause.task.node.clone()).collect();
        if open.is_empty() {
            return false;
        }
        let gate = open[choice % open.len()].clone();
        let action = if gate.len().is_multiple_of(2) && !gate.ends_with('3') {
            PauseAction::Approve
        } else {
            PauseAction::Decline
        };
        let inputs = Arc::new(Map::from_iter([("note".to_owned(), json!(gate))]));
        let decision = PauseDecision { action, user_id: "ada".to_owned(), inputs, comments: None };
        self.send(Input::Decide(Some(gate), decision));
        self.send(Input::Advance);
        true
    }

    fn start(definition: &Definition) -> Self {
        let mut simulation = Self::new(definition);
        let inputs = json!({"n0": {"x": 1}});
        simulation.send(Input::Start(Arc::new(inputs.as_object().unwrap().clone())));
        simulation.send(Input::Advance);
        simulation
    }

    fn finish(mut self, choices: &[usize]) -> Self {
        let mut choices = choices.iter().copied().cycle();
        for _ in 0..10_000 {
            if !self.step(choices.next().unwrap_or(0)) {
                return self;
            }
        }
        panic!("the run does not end");
    }

    fn end(&self) -> (RunStatus, Map<String, Value>) {
        (self.state.status, self.state.outputs_by_id(&self.plan).to_map())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_order_of_completions_leads_to_the_same_end(
        definition in dags(),
        first in proptest::collection::vec(0..100usize, 1..20),
        second in proptest::collection::vec(0..100usize, 1..20),
    ) {
        let (first, second) = (Simulation::start(&definition).finish(&first), Simulation::start(&definition).finish(&second));
        prop_assert!(first.state.status.is_terminal(), "ended as {:?}", first.state.status);
        prop_assert_eq!(first.end(), second.end());
    }

    #[test]
    fn a_log_cut_at_any_commit_leads_to_the_same_end(
        definition in dags(),
        choices in proptest::collection::vec(0..100usize, 1..20),
        cut in 0..100usize,
    ) {
        let complete = Simulation::start(&definition).finish(&choices);
        let cut = complete.commits[cut % complete.commits.len()];
        let mut resumed = Simulation::new(&definition);
        resumed.log = complete.log[..cut].to_vec();
        resumed.state = RunState::from_log(&resumed.log);
        resumed.time = 1_000_000;
        resumed.send(Input::Recover);
        prop_assert_eq!(resumed.finish(&choices).end(), complete.end());
    }

    #[test]
    fn state_equals_the_folded_log(
        definition in dags(),
        choices in proptest::collection::vec(0..100usize, 1..20),
    ) {
        let simulation = Simulation::start(&definition).finish(&choices);
        let text = serde_json::to_string(&simulation.log).unwrap();
        let parsed: Vec<Event> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&RunState::from_log(&parsed), &simulation.state);
        prop_assert_eq!(simulation.state.length, simulation.log.len() as u64);
    }

    #[test]
    fn every_task_of_a_terminal_run_is_terminal(
        definition in dags(),
        choices in proptest::collection::vec(0..100usize, 1..20),
        cancel_after in proptest::option::of(0..6usize),
    ) {
        let mut simulation = Simulation::start(&definition);
        if let Some(steps) = cancel_after {
            for choice in choices.iter().cycle().take(steps) {
                simulation.step(*choice);
            }
            if !simulation.state.status.is_terminal() {
                simulation.send(Input::Cancel);
                prop_assert_eq!(simulation.state.status, RunStatus::Canceled);
            }
        } else {
            simulation = simulation.finish(&choices);
        }
        prop_assert!(simulation.state.status.is_terminal());
        for task in simulation.state.tasks(&simulation.plan) {
            prop_assert!(task.status.is_terminal(), "{} is {:?}", task.node_id, task.status);
        }
    }

    #[test]
    fn cancel_keeps_inputs_and_outputs_of_tasks(
        definition in dags(),
        choices in proptest::collection::vec(0..100usize, 1..20),
        steps in 0..20usize,
    ) {
        let mut simulation = Simulation::start(&definition);
        for choice in choices.iter().cycle().take(steps) {
            simulation.step(*choice);
        }
        if simulation.state.status.is_terminal() {
            return Ok(());
        }
        let tasks = simulation.state.tasks(&simulation.plan);
        let outputs = simulation.state.outputs_by_label(&simulation.plan).to_map();
        simulation.send(Input::Cancel);
        for (before, after) in tasks.into_iter().zip(simulation.state.tasks(&simulation.plan)) {
            prop_assert_eq!(before.inputs, after.inputs, "inputs of {}", after.node_id);
            prop_assert_eq!(before.outputs, after.outputs, "outputs of {}", after.node_id);
            prop_assert_eq!(before.loop_history, after.loop_history, "iterations of {}", after.node_id);
            prop_assert_eq!(before.attempts.len(), after.attempts.len(), "attempts of {}", after.node_id);
        }
        prop_assert_eq!(outputs, simulation.state.outputs_by_label(&simulation.plan).to_map());
    }

    #[test]
    fn tasks_keep_their_inputs_to_the_end(
        definition in dags(),
        choices in proptest::collection::vec(0..100usize, 1..20),
    ) {
        let mut simulation = Simulation::start(&definition);
        for choice in choices.iter().cycle().take(10_000) {
            let before = simulation.state.tasks(&simulation.plan);
            if !simulation.step(*choice) {
                break;
            }
            for (before, after) in before.into_iter().zip(simulation.state.tasks(&simulation.plan)) {
                if !before.inputs.is_empty() {
                    prop_assert_eq!(before.inputs, after.inputs, "inputs of {}", after.node_id);
                }
            }
        }
    }

    #[test]
    fn duplicate_and_late_results_are_ignored(
        definition in dags(),
        choices in proptest::collection::vec(0..100usize, 1..20),
    ) {
        let mut simulation = Simulation::start(&definition).finish(&choices);
        let before = simulation.log.len();
        let ended: Vec<TaskPath> = simulation.log.iter().filter_map(|event| match event {
            Event::TaskCompleted { task, .. } | Event::TaskFailed { task, .. } | Event::TaskCanceled { task, .. } => Some(task.clone()),
            _ => None,
        }).collect();
        let unique: std::collections::HashSet<&TaskPath> = ended.iter().collect();
        prop_assert_eq!(unique.len(), ended.len());
        for task in ended {
            simulation.send(Input::StartTask(task.clone()));
            simulation.send(Input::RetryTask(task.clone()));
            simulation.send(Input::EndTask { task, result: Ok(json!({"late": true})), at: DateTime::UNIX_EPOCH });
        }
        prop_assert_eq!(simulation.log.len(), before);
    }

    #[test]
    fn retry_reruns_only_failed_nodes(
        definition in dags(),
        choices in proptest::collection::vec(0..100usize, 1..20),
    ) {
        let mut simulation = Simulation::start(&definition).finish(&choices);
        if simulation.state.status != RunStatus::Failed {
            prop_assert!(decide(&simulation.plan, &mut simulation.state, Input::Retry, DateTime::UNIX_EPOCH).is_err());
            return Ok(());
        }
        let (end, length_before_retry) = (simulation.end(), simulation.log.len());
        let completed: Vec<TaskPath> = simulation.log.iter().filter_map(|event| match event {
            Event::TaskCompleted { task, .. } => Some(task.clone()),
            _ => None,
        }).collect();
        simulation.send(Input::Retry);
        prop_assert_eq!(simulation.state.status, RunStatus::Running);
        prop_assert!(simulation.state.root.tasks.values().all(|task| task.status != TaskStatus::Failed));
        simulation.send(Input::Recover);
        let simulation = simulation.finish(&choices);
        // A node that always fails does so again after the retry.
        prop_assert_eq!(simulation.end(), end);
        for event in &simulation.log[length_before_retry..] {
            if let Event::TaskCompleted { task, .. } | Event::TaskStarted { task, .. } = event {
                prop_assert!(!completed.contains(task), "{} ran again", task);
            }
        }
    }

    #[test]
    fn run_with_reused_outputs_ends_like_the_original(
        definition in dags(),
        choices in proptest::collection::vec(0..100usize, 1..20),
        from in 0..12usize,
    ) {
        let first = Simulation::start(&definition).finish(&choices);
        let from = from % first.plan.nodes.len();
        let reused = first.state.reusable_outputs(&first.plan, &first.plan, from);
        let mut again = Simulation::new(&definition);
        again.send(Input::Start(Arc::clone(&first.state.inputs)));
        again.send(Input::Reuse(reused.clone()));
        again.send(Input::Advance);
        let again = again.finish(&choices);
        let declined = first.state.pauses.iter().any(|p| {
            p.decided.as_ref().is_some_and(|(decision, _)| decision.action == PauseAction::Decline)
        });
        prop_assert_eq!(&again.end().1, &first.end().1);
        // A run with a declined branch may be canceled. A rerun that reuses the other outputs is not.
        if !declined {
            prop_assert_eq!(again.end().0, first.end().0);
        }
        for event in &again.log {
            if let Event::TaskStarted { task, .. } = event {
                prop_assert!(reused.iter().all(|reused| reused.node != task.node), "{} ran again", task);
            }
        }
        prop_assert!(!reused.iter().any(|reused| reused.node == *again.plan.nodes[from].id));
    }

    #[test]
    fn decide_never_panics(
        definition in dags(),
        choices in proptest::collection::vec(0..100usize, 1..20),
        kept in proptest::collection::vec(any::<bool>(), 1..40),
        inputs in proptest::collection::vec((0..10usize, 0..14usize, 0..4u32, any::<bool>()), 1..12),
    ) {
        // An arbitrary part of a log, which may contain sequences of events that no decision produces.
        let simulation = Simulation::start(&definition).finish(&choices);
        let kept = simulation.log.iter().zip(kept.iter().cycle()).filter(|(_, kept)| **kept).map(|(event, _)| event);
        let mut state = RunState::from_log(kept);
        for (kind, node, iteration, inner) in inputs {
            let scope = if inner { vec![LoopIteration { loop_id: format!("n{node}"), iteration }] } else { Vec::new() };
            let task = TaskPath { scope, node: if inner { "inner".to_owned() } else { format!("n{node}") } };
            let decision = PauseDecision {
                action: PauseAction::Approve, user_id: String::new(), inputs: Arc::default(), comments: None,
            };
            let input = match kind {
                0 => Input::Recover,
                1 => Input::Advance,
                2 => Input::EndTask { task, result: Ok(json!({"x": 1})), at: DateTime::UNIX_EPOCH },
                3 => Input::EndTask { task, result: Err(Failure::error("no")), at: DateTime::UNIX_EPOCH },
                4 => Input::Decide(Some(task.node), decision),
                5 => Input::StartTask(task),
                6 => Input::RetryTask(task),
                7 => Input::Retry,
                8 => Input::Cancel,
                _ => Input::Start(Arc::default()),
            };
            let before = state.length;
            let events = decide(&simulation.plan, &mut state, input, DateTime::UNIX_EPOCH).map(|d| d.events.len());
            prop_assert_eq!(state.length - before, events.unwrap_or(0) as u64);
        }
    }
}

#[test]
fn nested_loops_hit_the_event_limit() {
    let inner = loop_node("inner", 300, "Fixed");
    let body = Definition {
        nodes: vec![node("in", "InputNode"), inner, node("out", "OutputNode")],
        links: vec![link("in", "inner", None), link("inner", "out", None)],
        ..Definition::default()
    };
    let Value::Object(config) = json!({"num_iterations": 300, "subworkflow": body}) else { unreachable!() };
    let mut outer = node("n1", "ForLoopNode");
    outer.config = sluice_domain::graph::RawObject::from_map(&config);
    let definition = Definition {
        nodes: vec![node("n0", "InputNode"), outer],
        links: vec![link("n0", "n1", None)],
        ..Definition::default()
    };
    let mut simulation = Simulation::new(&definition);
    simulation.send(Input::Start(Arc::default()));
    // A log that is almost as long as the limit, as after many iterations.
    for _ in 0..sluice_domain::run::MAX_LOOP_EVENTS - 2_000 {
        let event = Event::RunResumed { at: DateTime::UNIX_EPOCH };
        simulation.state.fold(&event);
        simulation.log.push(event);
    }
    simulation.send(Input::Advance);
    let simulation = simulation.finish(&[0]);
    assert_eq!(simulation.state.status, RunStatus::Failed);
    assert!(simulation.log.len() < 60_000, "{} events", simulation.log.len());
    assert!(
        simulation.state.tasks(&simulation.plan)[1].error.as_deref().is_some_and(|e| e.contains("events"))
    );
}

#[test]
fn forwarded_loop_history_does_not_double() {
    // The nodes of the body output everything that they receive, including the history.
    let definition = Definition {
        nodes: vec![node("n0", "InputNode"), loop_node("n1", 20, "Echo")],
        links: vec![link("n0", "n1", None)],
        ..Definition::default()
    };
    let simulation = Simulation::start(&definition).finish(&[0]);
    // If the history doubled, the run would exceed the size limits.
    assert_eq!(simulation.state.status, RunStatus::Completed);
}
