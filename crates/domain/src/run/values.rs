//! What flows through a run: outputs, inputs and the memory of loops, read off its state.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::plan::{Arrival, Behaviour, Inputs, LoopPlan, Plan};
use super::{CancelReason, RunState, Scope, TaskPath, TaskStatus};

/// The key under which an iteration's input node finds the outputs of the iterations before it.
const LOOP_HISTORY: &str = "loop_history";

/// What arrives at a node whose predecessors have all ended.
pub(super) enum Arrived {
    /// What is not null, and how many nulls.
    Inputs { inputs: Inputs, nulls: usize },
    /// A node before this one failed.
    UpstreamFailure,
}

/// What a loop knows after some of its iterations.
struct Memory {
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
        let task = self.frame(scope)?.tasks.get(id)?;
        if task.status != TaskStatus::Completed {
            return None;
        }
        Some(task.output.clone().unwrap_or_else(|| self.level_input(plan, scope, id)))
    }

    /// What the input node `id` gives: at the top what the run was given for it, in a loop the input of
    /// the iteration.
    pub(super) fn level_input(&self, plan: &Plan, scope: &[Scope], id: &str) -> Arc<Value> {
        let Some((last, outer)) = scope.split_last() else {
            let given = self.inputs.get(id).cloned();
            return Arc::new(given.unwrap_or_else(|| Value::Object(Map::new())));
        };
        let loop_path = TaskPath::new(outer, &last.loop_id);
        let Some(memory) = self.memory(plan, &loop_path, last.iteration as usize) else {
            return Arc::new(Value::Object(Map::new()));
        };
        let mut input = memory.input;
        input.insert(LOOP_HISTORY.to_owned(), Value::Object(memory.history));
        Arc::new(Value::Object(input))
    }

    /// What a loop gives after its last iteration. Without any iteration: what it was given.
    pub(super) fn loop_output(&self, plan: &Plan, path: &TaskPath, body: &LoopPlan) -> Value {
        let memory = self.memory(plan, path, body.iterations as usize);
        let output = memory.map(|memory| if body.iterations == 0 { memory.input } else { memory.given });
        Value::Object(output.unwrap_or_default())
    }

    /// {node id: [output of each iteration]} of the loop `path`; none when it is no loop or has not begun.
    #[must_use]
    pub fn loop_history(&self, plan: &Plan, path: &TaskPath) -> Option<Map<String, Value>> {
        let iterations = self.task(path)?.iterations.len();
        Some(self.memory(plan, path, iterations)?.history)
    }

    fn memory(&self, plan: &Plan, path: &TaskPath, iterations: usize) -> Option<Memory> {
        let level = plan.level(&path.scope)?;
        let index = level.index(&path.node)?;
        let Behaviour::Loop(body) = &level.nodes[index].behaviour else { return None };
        let Arrived::Inputs { inputs, .. } = self.arrived(plan, level, &path.scope, index) else {
            return None;
        };
        let input = map_input(&inputs, &body.input_map);
        let mut memory = Memory { input, given: Map::new(), history: Map::new() };
        for frame in self.task(path)?.iterations.iter().take(iterations) {
            for node in &body.body.nodes {
                let Some(task) = frame.tasks.get(&*node.id) else { continue };
                if task.status == TaskStatus::Completed {
                    let output = task.output.as_deref().map_or_else(|| memory.bare_input(), Clone::clone);
                    memory.remember(&node.id, output);
                }
            }
            let given = frame.tasks.get(&*body.body.nodes[body.output].id).and_then(|t| t.output.as_deref());
            if let Some(Value::Object(given)) = given {
                memory.input.extend(given.clone());
                memory.given.extend(given.clone());
            }
        }
        Some(memory)
    }

    /// What arrives at a node, in link order.
    pub(super) fn arrived(&self, plan: &Plan, level: &Plan, scope: &[Scope], index: usize) -> Arrived {
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
            let output = self.output(plan, scope, &source.id);
            let value = match (output, &edge.route) {
                (Some(output), Some(route)) => {
                    output.get(&**route).filter(|v| !v.is_null()).map(|v| Arc::new(v.clone()))
                }
                (output, _) => output,
            };
            match value {
                Some(_) if inputs.get(&source.label).is_some() => {}
                Some(value) => inputs.0.push(Arrival {
                    label: Arc::clone(&source.label),
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
    fn bare_input(&self) -> Value {
        Value::Object(self.input.clone())
    }

    fn remember(&mut self, id: &str, mut output: Value) {
        if let Value::Object(fields) = &mut output {
            fields.shift_remove(LOOP_HISTORY);
        }
        match self.history.get_mut(id) {
            Some(Value::Array(outputs)) => outputs.push(output),
            _ => drop(self.history.insert(id.to_owned(), Value::Array(vec![output]))),
        }
    }
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
