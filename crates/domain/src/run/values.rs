//! What flows through a run: outputs, inputs and the memory of loops, read off its state.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::plan::{Arrival, Behaviour, Inputs, LoopPlan, Plan};
use super::{CancelReason, Frame, RunState, Scope, TaskPath, TaskStatus};

/// The key under which an iteration's input node finds the outputs of the iterations before it.
pub(crate) const LOOP_HISTORY: &str = "loop_history";

/// What arrives at a node whose predecessors have all ended.
pub(super) enum Arrived {
    /// What is not null, and how many nulls.
    Inputs { inputs: Inputs, nulls: usize },
    /// A node before this one failed.
    UpstreamFailure,
}

/// What loops know, kept while one state is read several times. Iterations that have ended don't change, so what is
/// kept is only ever added to.
#[derive(Default)]
pub(super) struct Memo(RefCell<HashMap<TaskPath, Memory>>);

/// What a loop knows after some of its iterations.
#[derive(Default)]
struct Memory {
    /// After how many.
    iterations: usize,
    /// The input of the next iteration as its input node gives it, once it was asked for.
    level_input: Option<Arc<Value>>,
    /// What the next iteration is given: the input of the loop, with what iterations gave laid over it.
    input: Map<String, Value>,
    /// What iterations gave, the later laid over the earlier.
    given: Map<String, Value>,
    /// {node id: [output of each iteration]}.
    history: Map<String, Value>,
}

impl RunState {
    /// What the node `id` of the iteration `scope` gave; none while, or if, it gave nothing.
    #[must_use]
    pub fn output(&self, plan: &Plan, scope: &[Scope], id: &str) -> Option<Arc<Value>> {
        self.output_by(plan, scope, id, &Memo::default())
    }

    pub(super) fn output_by(
        &self,
        plan: &Plan,
        scope: &[Scope],
        id: &str,
        memo: &Memo,
    ) -> Option<Arc<Value>> {
        let task = self.frame(scope)?.tasks.get(id)?;
        if task.status != TaskStatus::Completed {
            return None;
        }
        Some(task.output.clone().unwrap_or_else(|| self.level_input(plan, scope, id, memo)))
    }

    /// What the input node `id` gives: at the top what the run was given for it, in a loop the input of
    /// the iteration.
    pub(super) fn level_input(&self, plan: &Plan, scope: &[Scope], id: &str, memo: &Memo) -> Arc<Value> {
        let Some((last, outer)) = scope.split_last() else {
            let given = self.inputs.get(id).cloned();
            return Arc::new(given.unwrap_or_else(|| Value::Object(Map::new())));
        };
        let loop_path = TaskPath::new(outer, &last.loop_id);
        let input = self.remembered(plan, &loop_path, last.iteration as usize, memo, Memory::level_input);
        input.unwrap_or_else(|| Arc::new(Value::Object(Map::new())))
    }

    /// What a loop gives after its last iteration. Without any iteration: what it was given.
    pub(super) fn loop_output(&self, plan: &Plan, path: &TaskPath, body: &LoopPlan, memo: &Memo) -> Value {
        let output = self.remembered(plan, path, body.iterations as usize, memo, |memory| {
            if body.iterations == 0 { memory.input.clone() } else { memory.given.clone() }
        });
        Value::Object(output.unwrap_or_default())
    }

    /// {node id: [output of each iteration]} of the loop `path`; none when it is no loop or has not begun.
    #[must_use]
    pub fn loop_history(&self, plan: &Plan, path: &TaskPath) -> Option<Map<String, Value>> {
        let iterations = self.task(path)?.iterations.len();
        self.remembered(plan, path, iterations, &Memo::default(), |memory| memory.history.clone())
    }

    /// Reads something off what the loop `path` knows after `iterations`.
    fn remembered<T>(
        &self,
        plan: &Plan,
        path: &TaskPath,
        iterations: usize,
        memo: &Memo,
        read: impl FnOnce(&mut Memory) -> T,
    ) -> Option<T> {
        let level = plan.level(&path.scope)?;
        let index = level.index(&path.node)?;
        let Behaviour::Loop(body) = &level.nodes[index].behaviour else { return None };
        let kept = memo.0.borrow_mut().remove(path);
        let mut memory = match kept.filter(|memory| memory.iterations <= iterations) {
            Some(memory) => memory,
            None => {
                let Arrived::Inputs { inputs, .. } = self.arrived(plan, level, &path.scope, index, memo)
                else {
                    return None;
                };
                Memory { input: map_input(&inputs, &body.input_map), ..Memory::default() }
            }
        };
        for frame in self.task(path)?.iterations.iter().take(iterations).skip(memory.iterations) {
            memory.learn(frame, body);
        }
        let answer = read(&mut memory);
        memo.0.borrow_mut().insert(path.clone(), memory);
        Some(answer)
    }

    /// What arrives at a node, in link order.
    pub(super) fn arrived(
        &self,
        plan: &Plan,
        level: &Plan,
        scope: &[Scope],
        index: usize,
        memo: &Memo,
    ) -> Arrived {
        let mut inputs = Inputs::default();
        let mut nulls = 0;
        for edge in &level.nodes[index].incoming {
            let source = &level.nodes[edge.source];
            let task = self.frame(scope).and_then(|frame| frame.tasks.get(&*source.id));
            let failed = task.is_some_and(|task| {
                task.status == TaskStatus::Failed || task.canceled == Some(CancelReason::UpstreamFailure)
            });
            if failed {
                return Arrived::UpstreamFailure;
            }
            let output = self.output_by(plan, scope, &source.id, memo);
            let value = match (output, &edge.route) {
                (Some(output), Some(route)) => {
                    output.get(&**route).filter(|v| !v.is_null()).map(|v| Arc::new(v.clone()))
                }
                (output, _) => output,
            };
            match value {
                Some(_) if edge.repeats && inputs.get(&edge.label).is_some() => {}
                Some(value) => inputs.0.push(Arrival {
                    label: Arc::clone(&edge.label),
                    node_id: Arc::clone(&source.id),
                    value,
                }),
                None => nulls += 1,
            }
        }
        Arrived::Inputs { inputs, nulls }
    }
}

impl Memory {
    /// Takes in one more iteration.
    fn learn(&mut self, frame: &Frame, body: &LoopPlan) {
        self.iterations += 1;
        self.level_input = None;
        for node in &body.body.nodes {
            let Some(task) = frame.tasks.get(&*node.id) else { continue };
            if task.status != TaskStatus::Completed {
                continue;
            }
            // An input node gave what the iteration was given.
            let output = match task.output.as_deref() {
                Some(output) => without_history(output),
                None => without_history_of(&self.input),
            };
            match self.history.get_mut(&*node.id) {
                Some(Value::Array(outputs)) => outputs.push(output),
                _ => drop(self.history.insert(node.id.to_string(), Value::Array(vec![output]))),
            }
        }
        let given = frame.tasks.get(&*body.body.nodes[body.output].id).and_then(|t| t.output.as_deref());
        if let Some(Value::Object(given)) = given.map(without_history) {
            self.input.extend(given.clone());
            self.given.extend(given);
        }
    }

    /// The input of the next iteration as its input node gives it.
    fn level_input(&mut self) -> Arc<Value> {
        let (input, history) = (&self.input, &self.history);
        let made = self.level_input.get_or_insert_with(|| {
            let mut input = input.clone();
            input.insert(LOOP_HISTORY.to_owned(), Value::Object(history.clone()));
            Arc::new(Value::Object(input))
        });
        Arc::clone(made)
    }
}

/// A copy of an output without the history that it passes on, at any depth: a history that held the histories before
/// it would double with every iteration.
fn without_history(output: &Value) -> Value {
    match output {
        Value::Object(fields) => without_history_of(fields),
        Value::Array(items) => Value::Array(items.iter().map(without_history).collect()),
        other => other.clone(),
    }
}

fn without_history_of(fields: &Map<String, Value>) -> Value {
    let kept = fields.iter().filter(|(key, _)| *key != LOOP_HISTORY);
    Value::Object(kept.map(|(key, value)| (key.clone(), without_history(value))).collect())
}

impl Plan {
    /// The level that the iteration `scope` runs: the plan itself, or the body of a loop in it.
    #[must_use]
    pub fn level(&self, scope: &[Scope]) -> Option<&Self> {
        scope.iter().try_fold(self, |level, step| match &level.nodes[level.index(&step.loop_id)?].behaviour {
            Behaviour::Loop(body) => Some(&body.body),
            _ => None,
        })
    }
}

fn map_input(inputs: &Inputs, input_map: &[(String, String)]) -> Map<String, Value> {
    let arrived = inputs.to_map();
    if input_map.is_empty() {
        return arrived;
    }
    let arrived = Value::Object(arrived);
    let mapped = |path: &str| dig(&arrived, path).cloned().unwrap_or(Value::Null);
    input_map.iter().map(|(field, path)| (field.clone(), mapped(path))).collect()
}

/// The value at a dotted path: the keys of objects and the indices of lists, as in `node.items.0.name`.
/// A key that itself holds dots is found too, the longest match first.
#[must_use]
pub fn dig<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => {
            if let Some(found) = fields.get(path) {
                return Some(found);
            }
            let mut dots: Vec<usize> = path.match_indices('.').map(|(at, _)| at).collect();
            dots.reverse();
            dots.into_iter().find_map(|at| dig(fields.get(&path[..at])?, &path[at + 1..]))
        }
        Value::Array(items) => {
            let (first, rest) = path.split_once('.').map_or((path, None), |(f, r)| (f, Some(r)));
            let item = items.get(first.parse::<usize>().ok()?)?;
            rest.map_or(Some(item), |rest| dig(item, rest))
        }
        _ => None,
    }
}
