//! Resolution of inputs and outputs from the state of a run, including the history of loops.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::plan::{Behavior, Inputs, LoopPlan, NamedInput, Plan};
use super::state::{Frame, RunState};
use super::{CancelReason, LoopIteration, TaskPath, TaskStatus};

/// The field of an iteration's input that holds the outputs of the previous iterations.
pub(crate) const LOOP_HISTORY: &str = "loop_history";

/// The inputs of a node whose predecessors have all ended.
pub(super) enum ResolvedInputs {
    /// The inputs without nulls, and the number of nulls.
    Ready { inputs: Inputs, nulls: usize },
    /// A predecessor failed.
    UpstreamFailure,
}

/// A cache of loop histories for repeated reads of one state. Ended iterations don't change, so entries only grow.
#[derive(Default)]
pub(super) struct LoopCache(RefCell<HashMap<TaskPath, LoopHistory>>);

/// The history of a loop after some of its iterations.
#[derive(Default)]
struct LoopHistory {
    /// The number of iterations.
    iterations: usize,
    /// The output of the next iteration's input node, filled on demand.
    level_input: Option<Arc<Value>>,
    /// The input of the next iteration: the input of the loop, overlaid with the outputs of the iterations.
    input: Map<String, Value>,
    /// The outputs of the iterations, later ones overlaid on earlier ones.
    output: Map<String, Value>,
    /// {node id: [output of each iteration]}.
    node_outputs: Map<String, Value>,
}

impl RunState {
    /// Returns the output of the node `id` in the iteration `scope`, or `None` if it has no output (yet).
    #[must_use]
    pub fn output(&self, plan: &Plan, scope: &[LoopIteration], id: &str) -> Option<Arc<Value>> {
        self.cached_output(plan, scope, id, &LoopCache::default())
    }

    fn cached_output(
        &self,
        plan: &Plan,
        scope: &[LoopIteration],
        id: &str,
        cache: &LoopCache,
    ) -> Option<Arc<Value>> {
        let task = self.frame(scope)?.tasks.get(id)?;
        if task.status != TaskStatus::Completed {
            return None;
        }
        Some(task.output.clone().unwrap_or_else(|| self.level_input(plan, scope, id, cache)))
    }

    /// Returns the output of the input node `id`. At the top level, these are the node's inputs of the run. In a loop,
    /// it is the input of the iteration.
    pub(super) fn level_input(
        &self,
        plan: &Plan,
        scope: &[LoopIteration],
        id: &str,
        cache: &LoopCache,
    ) -> Arc<Value> {
        let Some((last, outer)) = scope.split_last() else {
            let input = self.inputs.get(id).cloned();
            return Arc::new(input.unwrap_or_else(|| Value::Object(Map::new())));
        };
        let path = TaskPath::new(outer, &last.loop_id);
        let iterations = last.iteration as usize;
        let input = self.with_loop_history(plan, &path, iterations, cache, LoopHistory::level_input);
        input.unwrap_or_else(|| Arc::new(Value::Object(Map::new())))
    }

    /// Returns the output of a loop after its last iteration. For a loop without iterations, this is its input.
    pub(super) fn loop_output(
        &self,
        plan: &Plan,
        path: &TaskPath,
        body: &LoopPlan,
        cache: &LoopCache,
    ) -> Value {
        let output = self.with_loop_history(plan, path, body.iterations as usize, cache, |history| {
            if body.iterations == 0 { history.input.clone() } else { history.output.clone() }
        });
        Value::Object(output.unwrap_or_default())
    }

    /// Returns `{node id: [output of each iteration]}` of the loop `path`, or `None` if it is not a loop or has not
    /// started.
    #[must_use]
    pub fn loop_history(&self, plan: &Plan, path: &TaskPath) -> Option<Map<String, Value>> {
        let iterations = self.task(path)?.iterations.len();
        let cache = LoopCache::default();
        self.with_loop_history(plan, path, iterations, &cache, |history| history.node_outputs.clone())
    }

    /// Reads from the history of the loop `path` after `iterations`.
    fn with_loop_history<T>(
        &self,
        plan: &Plan,
        path: &TaskPath,
        iterations: usize,
        cache: &LoopCache,
        read: impl FnOnce(&mut LoopHistory) -> T,
    ) -> Option<T> {
        let level = plan.level(&path.scope)?;
        let index = level.index(&path.node)?;
        let Behavior::Loop(body) = &level.nodes[index].behavior else { return None };
        let cached = cache.0.borrow_mut().remove(path);
        let mut history = match cached.filter(|history| history.iterations <= iterations) {
            Some(history) => history,
            None => match self.resolve_inputs(plan, level, &path.scope, index, cache) {
                ResolvedInputs::Ready { inputs, .. } => {
                    LoopHistory { input: map_input(&inputs, &body.input_map), ..LoopHistory::default() }
                }
                ResolvedInputs::UpstreamFailure => return None,
            },
        };
        for frame in self.task(path)?.iterations.iter().take(iterations).skip(history.iterations) {
            history.add_iteration(frame, body);
        }
        let result = read(&mut history);
        cache.0.borrow_mut().insert(path.clone(), history);
        Some(result)
    }

    /// Resolves the inputs of a node, in link order.
    pub(super) fn resolve_inputs(
        &self,
        plan: &Plan,
        level: &Plan,
        scope: &[LoopIteration],
        index: usize,
        cache: &LoopCache,
    ) -> ResolvedInputs {
        let mut inputs = Inputs::default();
        let mut nulls = 0;
        for edge in &level.nodes[index].incoming {
            let source = &level.nodes[edge.source];
            let task = self.frame(scope).and_then(|frame| frame.tasks.get(&*source.id));
            let is_failed = task.is_some_and(|task| {
                task.status == TaskStatus::Failed || task.canceled == Some(CancelReason::UpstreamFailure)
            });
            if is_failed {
                return ResolvedInputs::UpstreamFailure;
            }
            let output = self.cached_output(plan, scope, &source.id, cache);
            let value = match (output, &edge.route) {
                (Some(output), Some(route)) => {
                    output.get(&**route).filter(|value| !value.is_null()).map(|value| Arc::new(value.clone()))
                }
                (output, _) => output,
            };
            match value {
                Some(_) if edge.repeats && inputs.get(&edge.label).is_some() => {}
                Some(value) => inputs.0.push(NamedInput {
                    label: Arc::clone(&edge.label),
                    node_id: Arc::clone(&source.id),
                    value,
                }),
                None => nulls += 1,
            }
        }
        ResolvedInputs::Ready { inputs, nulls }
    }
}

impl LoopHistory {
    fn add_iteration(&mut self, frame: &Frame, body: &LoopPlan) {
        self.iterations += 1;
        self.level_input = None;
        for node in &body.body.nodes {
            let Some(task) = frame.tasks.get(&*node.id) else { continue };
            if task.status != TaskStatus::Completed {
                continue;
            }
            // An input node has no stored output: it is the input of the iteration.
            let output = match task.output.as_deref() {
                Some(output) => remove_history(output),
                None => remove_history_field(&self.input),
            };
            match self.node_outputs.get_mut(&*node.id) {
                Some(Value::Array(outputs)) => outputs.push(output),
                _ => drop(self.node_outputs.insert(node.id.to_string(), Value::Array(vec![output]))),
            }
        }
        let output_node = &body.body.nodes[body.output];
        let output = frame.tasks.get(&*output_node.id).and_then(|task| task.output.as_deref());
        if let Some(Value::Object(output)) = output.map(remove_history) {
            self.input.extend(output.clone());
            self.output.extend(output);
        }
    }

    /// Returns the output of the next iteration's input node.
    fn level_input(&mut self) -> Arc<Value> {
        let (input, outputs) = (&self.input, &self.node_outputs);
        let level_input = self.level_input.get_or_insert_with(|| {
            let mut input = input.clone();
            input.insert(LOOP_HISTORY.to_owned(), Value::Object(outputs.clone()));
            Arc::new(Value::Object(input))
        });
        Arc::clone(level_input)
    }
}

/// Returns a copy of an output without loop histories at any depth. A history that contains the histories before it
/// would double with every iteration.
fn remove_history(output: &Value) -> Value {
    match output {
        Value::Object(fields) => remove_history_field(fields),
        Value::Array(items) => Value::Array(items.iter().map(remove_history).collect()),
        other => other.clone(),
    }
}

fn remove_history_field(fields: &Map<String, Value>) -> Value {
    let others = fields.iter().filter(|(key, _)| *key != LOOP_HISTORY);
    Value::Object(others.map(|(key, value)| (key.clone(), remove_history(value))).collect())
}

/// Maps the inputs of a loop to the input of its body.
fn map_input(inputs: &Inputs, input_map: &[(String, String)]) -> Map<String, Value> {
    let inputs = inputs.to_map();
    if input_map.is_empty() {
        return inputs;
    }
    let inputs = Value::Object(inputs);
    let mut mapped = Map::new();
    for (field, path) in input_map {
        mapped.insert(field.clone(), lookup_path(&inputs, path).cloned().unwrap_or(Value::Null));
    }
    mapped
}

/// Returns the value at a dotted path of object keys and array indices, as in `node.items.0.name`. A key may itself
/// contain dots; the longest match wins.
#[must_use]
pub fn lookup_path<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => {
            if let Some(found) = fields.get(path) {
                return Some(found);
            }
            path.rmatch_indices('.')
                .find_map(|(dot, _)| lookup_path(fields.get(&path[..dot])?, &path[dot + 1..]))
        }
        Value::Array(items) => {
            let (first, rest) =
                path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
            let item = items.get(first.parse::<usize>().ok()?)?;
            rest.map_or(Some(item), |rest| lookup_path(item, rest))
        }
        _ => None,
    }
}
