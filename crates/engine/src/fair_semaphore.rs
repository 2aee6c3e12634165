//! A semaphore that is fair across workflows.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use uuid::Uuid;

/// A bounded number of permits. Waiting workflows are served round-robin; within a workflow, permits are granted first
/// come, first served.
#[derive(Clone)]
pub(crate) struct FairSemaphore(Arc<Shared>);

struct Shared {
    limit: usize,
    limit_per_workflow: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    in_use: usize,
    workflows: HashMap<Uuid, Workflow>,
    /// Workflows with at least one waiter, in round-robin order.
    queue: VecDeque<Uuid>,
}

#[derive(Default)]
struct Workflow {
    in_use: usize,
    waiters: VecDeque<oneshot::Sender<Permit>>,
}

/// The current usage of a semaphore.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) limit: usize,
    pub(crate) in_use: usize,
    pub(crate) waiting: usize,
}

/// One slot of a [`FairSemaphore`]. Dropping the permit releases the slot.
pub(crate) struct Permit {
    /// `None` after the slot was released.
    semaphore: Option<FairSemaphore>,
    workflow: Uuid,
}

/// A permit, or a position in the queue. Dropping it releases the slot or leaves the queue.
pub(crate) enum Acquire {
    Ready(Permit),
    Waiting(oneshot::Receiver<Permit>),
}

impl Acquire {
    /// Waits for the permit.
    pub(crate) async fn wait(self) -> Permit {
        match self {
            Self::Ready(permit) => permit,
            // The sender is dropped without a permit only at shutdown.
            Self::Waiting(granted) => match granted.await {
                Ok(permit) => permit,
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl FairSemaphore {
    /// Creates a semaphore with `limit` permits, at most `limit_per_workflow` of them for one workflow.
    pub(crate) fn new(limit: usize, limit_per_workflow: usize) -> Self {
        let (limit, limit_per_workflow) = (limit.max(1), limit_per_workflow.max(1));
        Self(Arc::new(Shared { limit, limit_per_workflow, state: Mutex::default() }))
    }

    /// Returns a permit for `workflow` if a slot is free.
    pub(crate) fn try_acquire(&self, workflow: Uuid) -> Option<Permit> {
        let mut state = self.state();
        // If a slot is free, every waiter belongs to a workflow at its own limit. So this doesn't overtake a waiter.
        state.has_slot_for(workflow, &self.0).then(|| self.grant(&mut state, workflow))
    }

    /// Joins the queue for a permit. The order of the calls is the order of the queue.
    pub(crate) fn acquire(&self, workflow: Uuid) -> Acquire {
        let mut state = self.state();
        if state.has_slot_for(workflow, &self.0) {
            Acquire::Ready(self.grant(&mut state, workflow))
        } else {
            Acquire::Waiting(state.enqueue(workflow))
        }
    }

    /// Returns the numbers of permits in use and of waiters.
    pub(crate) fn usage(&self) -> Usage {
        let state = self.state();
        let waiting = state
            .queue
            .iter()
            .filter_map(|workflow| state.workflows.get(workflow))
            .map(|workflow| workflow.waiters.iter().filter(|waiter| !waiter.is_closed()).count())
            .sum();
        Usage { limit: self.0.limit, in_use: state.in_use, waiting }
    }

    fn grant(&self, state: &mut State, workflow: Uuid) -> Permit {
        state.in_use += 1;
        state.workflows.entry(workflow).or_default().in_use += 1;
        Permit { semaphore: Some(self.clone()), workflow }
    }

    fn release(&self, workflow: Uuid) {
        let mut state = self.state();
        state.free_slot(workflow);
        while let Some((next, waiter)) = state.next_waiter(&self.0) {
            let permit = self.grant(&mut state, next);
            if let Err(mut permit) = waiter.send(permit) {
                // Dropping the permit would lock the state again.
                permit.semaphore = None;
                state.free_slot(next);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics between two related changes, so a poisoned state is still consistent.
        self.0.state.lock()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(semaphore) = self.semaphore.take() {
            semaphore.release(self.workflow);
        }
    }
}

impl State {
    fn has_slot_for(&self, workflow: Uuid, shared: &Shared) -> bool {
        let in_use = self.workflows.get(&workflow).map_or(0, |workflow| workflow.in_use);
        self.in_use < shared.limit && in_use < shared.limit_per_workflow
    }

    fn enqueue(&mut self, id: Uuid) -> oneshot::Receiver<Permit> {
        let (waiter, granted) = oneshot::channel();
        let workflow = self.workflows.entry(id).or_default();
        if workflow.waiters.is_empty() {
            self.queue.push_back(id);
        }
        workflow.waiters.push_back(waiter);
        granted
    }

    /// Removes and returns the next waiter that may get a slot. Moves its workflow to the end of the queue.
    fn next_waiter(&mut self, shared: &Shared) -> Option<(Uuid, oneshot::Sender<Permit>)> {
        if self.in_use >= shared.limit {
            return None;
        }
        let index = self.queue.iter().position(|id| {
            self.workflows.get(id).is_some_and(|workflow| workflow.in_use < shared.limit_per_workflow)
        })?;
        let id = self.queue.remove(index)?;
        let workflow = self.workflows.get_mut(&id)?;
        let waiter = workflow.waiters.pop_front()?;
        if !workflow.waiters.is_empty() {
            self.queue.push_back(id);
        }
        Some((id, waiter))
    }

    fn free_slot(&mut self, id: Uuid) {
        self.in_use -= 1;
        if let Entry::Occupied(mut workflow) = self.workflows.entry(id) {
            workflow.get_mut().in_use -= 1;
            if workflow.get().in_use == 0 && workflow.get().waiters.is_empty() {
                workflow.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::future::Future;
    use std::pin::Pin;

    type Waiter = Pin<Box<dyn Future<Output = Permit>>>;

    fn wait_for_permit(semaphore: &FairSemaphore, workflow: Uuid) -> Waiter {
        let mut waiter: Waiter = Box::pin(semaphore.acquire(workflow).wait());
        assert!(waiter.as_mut().now_or_never().is_none(), "a slot was free");
        waiter
    }

    fn workflows() -> [Uuid; 2] {
        [Uuid::from_u128(1), Uuid::from_u128(2)]
    }

    #[test]
    fn serves_workflows_round_robin() {
        let [a, b] = workflows();
        let semaphore = FairSemaphore::new(1, 9);
        let first = semaphore.try_acquire(a).expect("a permit");
        assert!(semaphore.try_acquire(b).is_none());
        // Three waiters of one workflow are queued before the first of another.
        let mut waiters_a =
            [wait_for_permit(&semaphore, a), wait_for_permit(&semaphore, a), wait_for_permit(&semaphore, a)];
        let mut waiter_b = wait_for_permit(&semaphore, b);
        drop(first);
        let second = waiters_a[0].as_mut().now_or_never().expect("the first in the queue");
        assert!(waiter_b.as_mut().now_or_never().is_none());
        drop(second);
        let third = waiter_b.as_mut().now_or_never().expect("a permit for the other workflow");
        assert!(waiters_a[1].as_mut().now_or_never().is_none());
        drop(third);
        assert!(waiters_a[1].as_mut().now_or_never().is_some());
    }

    #[test]
    fn limits_the_permits_of_one_workflow() {
        let [a, b] = workflows();
        let semaphore = FairSemaphore::new(3, 2);
        let permits_a =
            [semaphore.try_acquire(a).expect("a permit"), semaphore.try_acquire(a).expect("a permit")];
        assert!(semaphore.try_acquire(a).is_none());
        let mut waiter = wait_for_permit(&semaphore, a);
        let permit_b = semaphore.try_acquire(b).expect("a permit");
        assert!(semaphore.try_acquire(b).is_none(), "all three are in use");
        drop(permit_b);
        assert!(waiter.as_mut().now_or_never().is_none(), "its workflow is at its limit");
        drop(permits_a);
        assert!(waiter.as_mut().now_or_never().is_some());
    }

    #[test]
    fn dropped_waiter_frees_its_slot() {
        let [a, b] = workflows();
        let semaphore = FairSemaphore::new(1, 1);
        let first = semaphore.try_acquire(a).expect("a permit");
        let dropped = wait_for_permit(&semaphore, a);
        let mut waiter = wait_for_permit(&semaphore, b);
        assert_eq!(semaphore.usage(), Usage { limit: 1, in_use: 1, waiting: 2 });
        drop(dropped);
        assert_eq!(semaphore.usage(), Usage { limit: 1, in_use: 1, waiting: 1 });
        drop(first);
        drop(waiter.as_mut().now_or_never().expect("a permit"));
        assert!(semaphore.try_acquire(a).is_some());
        let state = semaphore.state();
        assert!(state.workflows.is_empty() && state.queue.is_empty() && state.in_use == 0, "state remains");
    }
}
