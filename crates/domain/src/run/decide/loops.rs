use serde_json::Value;

use super::decider::Decider;
use crate::run::{Frame, LoopPlan, MAX_LOOP_EVENTS, TaskPath, TaskStatus};

/// The number of events after which a decision leaves the rest of its loops to the next one.
const LOOP_CHUNK: usize = 1_000;

impl<'p> Decider<'p, '_> {
    /// Advances a running loop: starts its next iteration if the last one has ended, or ends the loop. Returns true if the
    /// loop has ended.
    pub(super) fn advance_loop(&mut self, path: &TaskPath, body: &'p LoopPlan) -> bool {
        loop {
            let Some(task) = self.state.task(path) else { return false };
            if task.status.is_terminal() {
                return true;
            }
            let started = task.iterations.len();
            if let Some(last) = task.iterations.last() {
                if last.finished < body.body.nodes.len() {
                    return false;
                }
                if let Some(result) = iteration_failure(started, last, body) {
                    self.end_task(path.clone(), result);
                    return true;
                }
            }
            if self.state.is_blocked() && started < body.iterations as usize {
                return false;
            }
            if started >= body.iterations as usize {
                let output = self.state.loop_output(self.plan, path, body, &self.cache);
                self.end_task(path.clone(), Ok(output));
                return true;
            }
            // Long loops advance in chunks, each committed before the next, so that they can be canceled.
            if self.decision.events.len() > LOOP_CHUNK {
                self.decision.has_more = true;
                return false;
            }
            // Nodes at the top level don't count toward the limit of loops.
            if self.state.length > MAX_LOOP_EVENTS + 2 * self.plan.nodes.len() as u64 {
                let error = format!(
                    "The loops of the run produce more than {MAX_LOOP_EVENTS} events. Reduce the iterations or nodes."
                );
                self.end_task(path.clone(), Err(error));
                return true;
            }
            let scope = path.iteration_scope(u32::try_from(started).unwrap_or(u32::MAX));
            self.advance(&body.body, &scope, (0..body.body.nodes.len()).collect());
            let has_progressed = self.state.task(path).is_some_and(|task| task.iterations.len() > started);
            if !has_progressed {
                // With an empty body, or a body in which no node can start, the loop would never end.
                let error =
                    "No node in the body of the loop can start. Add nodes and links to it.".to_owned();
                self.end_task(path.clone(), Err(error));
                return true;
            }
        }
    }
}

/// Returns the result with which an iteration without an output ends its loop, or `None` if the iteration has an
/// output.
fn iteration_failure(number: usize, iteration: &Frame, body: &LoopPlan) -> Option<Result<Value, String>> {
    let failed = body.body.nodes.iter().find_map(|node| {
        let task = iteration.tasks.get(&*node.id)?;
        (task.status == TaskStatus::Failed).then(|| (&node.id, task.error.as_deref().unwrap_or_default()))
    });
    if let Some((id, error)) = failed {
        return Some(Err(format!("The node \"{id}\" failed in iteration {number}: {error}")));
    }
    let output = iteration.tasks.get(&*body.body.nodes[body.output].id)?;
    (output.status != TaskStatus::Completed).then_some(Ok(Value::Null))
}
