//! Places for work that goes on at the same time, shared out fairly between workflows.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use uuid::Uuid;

/// A bounded number of places. Workflows that wait for one take turns; within a workflow who came first is
/// served first.
#[derive(Clone)]
pub(crate) struct Places(Arc<Shared>);

struct Shared {
    /// How many places there are.
    total: usize,
    /// How many of them one workflow may take.
    each: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    workflows: HashMap<Uuid, Workflow>,
    /// The workflows of which something waits, in the order of their turns.
    turns: VecDeque<Uuid>,
}

#[derive(Default)]
struct Workflow {
    taken: usize,
    waiting: VecDeque<oneshot::Sender<Place>>,
}

/// How many places there are, and how many are taken and waited for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) total: usize,
    pub(crate) taken: usize,
    pub(crate) waiting: usize,
}

/// A place that was taken. Dropping it gives it back.
pub(crate) struct Place {
    /// None once there is nothing to give back.
    places: Option<Places>,
    workflow: Uuid,
}

/// A place in the queue. Dropping it gives it up.
pub(crate) enum Turn {
    Now(Place),
    Later(oneshot::Receiver<Place>),
}

impl Turn {
    /// Waits for the place.
    pub(crate) async fn come(self) -> Place {
        match self {
            Self::Now(place) => place,
            // The other end is only dropped unused when everything comes down.
            Self::Later(turn) => match turn.await {
                Ok(place) => place,
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl Places {
    /// `total` places, of which one workflow may take `each`.
    pub(crate) fn new(total: usize, each: usize) -> Self {
        let (total, each) = (total.max(1), each.max(1));
        Self(Arc::new(Shared { total, each, state: Mutex::default() }))
    }

    /// A place for `workflow`, if there is one now.
    pub(crate) fn try_take(&self, workflow: Uuid) -> Option<Place> {
        let mut state = self.state();
        // Whoever waits is of a workflow that has all that it may take, so nobody is overtaken here.
        state.has_place_for(workflow, &self.0).then(|| self.hand_out(&mut state, workflow))
    }

    /// Queues for a place: who calls this first is served first.
    pub(crate) fn queue(&self, workflow: Uuid) -> Turn {
        let mut state = self.state();
        if state.has_place_for(workflow, &self.0) {
            Turn::Now(self.hand_out(&mut state, workflow))
        } else {
            Turn::Later(state.wait(workflow))
        }
    }

    /// How many places there are, and how many are taken and waited for.
    pub(crate) fn count(&self) -> Count {
        let state = self.state();
        let waiting = state.turns.iter().filter_map(|turn| state.workflows.get(turn));
        let waiting = waiting.map(|of| of.waiting.iter().filter(|turn| !turn.is_closed()).count()).sum();
        Count { total: self.0.total, taken: state.taken, waiting }
    }

    fn hand_out(&self, state: &mut State, workflow: Uuid) -> Place {
        state.taken += 1;
        state.workflows.entry(workflow).or_default().taken += 1;
        Place { places: Some(self.clone()), workflow }
    }

    fn give_back(&self, workflow: Uuid) {
        let mut state = self.state();
        state.forget(workflow);
        while let Some((next, waiting)) = state.next_turn(&self.0) {
            let place = self.hand_out(&mut state, next);
            if let Err(mut unwanted) = waiting.send(place) {
                // Its drop would lock the state again.
                unwanted.places = None;
                state.forget(next);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic halfway through a change.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(places) = self.places.take() {
            places.give_back(self.workflow);
        }
    }
}

impl State {
    fn has_place_for(&self, workflow: Uuid, shared: &Shared) -> bool {
        let taken = self.workflows.get(&workflow).map_or(0, |of| of.taken);
        self.taken < shared.total && taken < shared.each
    }

    fn wait(&mut self, workflow: Uuid) -> oneshot::Receiver<Place> {
        let (tell, turn) = oneshot::channel();
        let of = self.workflows.entry(workflow).or_default();
        if of.waiting.is_empty() {
            self.turns.push_back(workflow);
        }
        of.waiting.push_back(tell);
        turn
    }

    /// Who is to get a free place; its workflow goes to the end of the turns.
    fn next_turn(&mut self, shared: &Shared) -> Option<(Uuid, oneshot::Sender<Place>)> {
        if self.taken >= shared.total {
            return None;
        }
        let may = |id: &Uuid| self.workflows.get(id).is_some_and(|of| of.taken < shared.each);
        let turn = self.turns.iter().position(may)?;
        let id = self.turns.remove(turn)?;
        let of = self.workflows.get_mut(&id)?;
        let waiting = of.waiting.pop_front()?;
        if !of.waiting.is_empty() {
            self.turns.push_back(id);
        }
        Some((id, waiting))
    }

    /// Counts a place as free again.
    fn forget(&mut self, workflow: Uuid) {
        self.taken -= 1;
        if let Entry::Occupied(mut of) = self.workflows.entry(workflow) {
            of.get_mut().taken -= 1;
            if of.get().taken == 0 && of.get().waiting.is_empty() {
                of.remove();
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

    type Queued = Pin<Box<dyn Future<Output = Place>>>;

    fn queue(places: &Places, workflow: Uuid) -> Queued {
        let mut turn: Queued = Box::pin(places.queue(workflow).come());
        assert!(turn.as_mut().now_or_never().is_none(), "there was a place");
        turn
    }

    fn workflows() -> [Uuid; 2] {
        [Uuid::from_u128(1), Uuid::from_u128(2)]
    }

    #[test]
    fn workflows_take_turns() {
        let [a, b] = workflows();
        let places = Places::new(1, 9);
        let first = places.try_take(a).expect("a place");
        assert!(places.try_take(b).is_none());
        // Three of one workflow came before the first of another.
        let mut of_a = [queue(&places, a), queue(&places, a), queue(&places, a)];
        let mut of_b = queue(&places, b);
        drop(first);
        let second = of_a[0].as_mut().now_or_never().expect("the first in the queue");
        assert!(of_b.as_mut().now_or_never().is_none());
        drop(second);
        let third = of_b.as_mut().now_or_never().expect("the other workflow's turn");
        assert!(of_a[1].as_mut().now_or_never().is_none());
        drop(third);
        assert!(of_a[1].as_mut().now_or_never().is_some());
    }

    #[test]
    fn one_workflow_does_not_take_all() {
        let [a, b] = workflows();
        let places = Places::new(3, 2);
        let of_a = [places.try_take(a).expect("a place"), places.try_take(a).expect("a place")];
        assert!(places.try_take(a).is_none());
        let mut waits = queue(&places, a);
        let of_b = places.try_take(b).expect("a place");
        assert!(places.try_take(b).is_none(), "there are three");
        drop(of_b);
        assert!(waits.as_mut().now_or_never().is_none(), "its workflow has all that it may take");
        drop(of_a);
        assert!(waits.as_mut().now_or_never().is_some());
    }

    #[test]
    fn who_goes_away_gets_nothing() {
        let [a, b] = workflows();
        let places = Places::new(1, 1);
        let first = places.try_take(a).expect("a place");
        let gone = queue(&places, a);
        let mut stays = queue(&places, b);
        assert_eq!(places.count(), Count { total: 1, taken: 1, waiting: 2 });
        drop(gone);
        assert_eq!(places.count(), Count { total: 1, taken: 1, waiting: 1 });
        drop(first);
        drop(stays.as_mut().now_or_never().expect("a place"));
        assert!(places.try_take(a).is_some());
        let state = places.state();
        assert!(
            state.workflows.is_empty() && state.turns.is_empty() && state.taken == 0,
            "nothing is left behind"
        );
    }
}
