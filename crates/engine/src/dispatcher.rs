use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// How long a run rests after its driver panicked: what made it panic may be gone by then.
const AFTER_PANIC: Duration = Duration::from_secs(10);

/// Sees to it that a run has a driver when it needs one, and never two: the embedded dispatcher, one
/// tokio task a run. A paused run has none.
#[derive(Clone, Default)]
pub(crate) struct Dispatcher {
    drivers: Arc<Mutex<HashMap<Uuid, Arc<Wake>>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// How a driver learns that somebody else has added to the log of its run.
#[derive(Default)]
pub(crate) struct Wake {
    notify: Notify,
    /// Set with the drivers locked, so that no wake is lost between a driver's last look and its end.
    pending: Mutex<bool>,
}

impl Wake {
    /// Waits until somebody wakes this driver.
    pub(crate) async fn woken(&self) {
        loop {
            let notified = self.notify.notified();
            if self.take() {
                return;
            }
            notified.await;
        }
    }

    fn take(&self) -> bool {
        std::mem::take(&mut *lock(&self.pending))
    }

    fn set(&self) {
        *lock(&self.pending) = true;
        self.notify.notify_one();
    }
}

impl Dispatcher {
    /// Wakes the driver of `run`, or spawns the one that `drive` makes.
    /// A driver that panics is let go, and `again` called a while later.
    pub(crate) fn dispatch<F, D, A>(&self, run: Uuid, drive: F, again: A)
    where
        F: FnOnce(Arc<Wake>) -> D,
        D: Future<Output = ()> + Send + 'static,
        A: FnOnce() + Send + 'static,
    {
        if self.stop.is_cancelled() {
            return;
        }
        let wake = match lock(&self.drivers).entry(run) {
            Entry::Occupied(driver) => return driver.get().set(),
            Entry::Vacant(free) => Arc::clone(free.insert(Arc::default())),
        };
        self.spawn(run, drive(wake), again);
    }

    /// Makes a place for the driver of a run that is about to begin, so that no wake is lost before there is one.
    /// It is to be spawned, or let go.
    pub(crate) fn reserve(&self, run: Uuid) -> Arc<Wake> {
        Arc::clone(lock(&self.drivers).entry(run).or_default())
    }

    /// Spawns the driver of a run that has a place.
    pub(crate) fn spawn(
        &self,
        run: Uuid,
        driven: impl Future<Output = ()> + Send + 'static,
        again: impl FnOnce() + Send + 'static,
    ) {
        let (driven, dispatcher) = (AssertUnwindSafe(driven), self.clone());
        self.tasks.spawn(async move {
            // Stopping in the middle loses nothing: the log says where to go on.
            let driven = dispatcher.stop.run_until_cancelled(driven.catch_unwind()).await;
            if let Some(Err(_)) = driven {
                tracing::error!(%run, "the driver of a run panicked, it is driven again in a while");
                lock(&dispatcher.drivers).remove(&run);
                let rested = dispatcher.stop.run_until_cancelled(tokio::time::sleep(AFTER_PANIC)).await;
                if rested.is_some() {
                    again();
                }
            }
        });
    }

    /// Wakes the driver of `run`, if it has one.
    pub(crate) fn wake(&self, run: Uuid) {
        if let Some(wake) = lock(&self.drivers).get(&run) {
            wake.set();
        }
    }

    /// Lets the driver of `run` go. Answers `false` when it was woken meanwhile and has to look again.
    pub(crate) fn retire(&self, run: Uuid) -> bool {
        let mut drivers = lock(&self.drivers);
        if drivers.get(&run).is_some_and(|wake| wake.take()) {
            return false;
        }
        drivers.remove(&run);
        true
    }

    /// Lets the driver of `run` go, whoever wakes it: there is nothing to drive.
    pub(crate) fn let_go(&self, run: Uuid) {
        while !self.retire(run) {}
    }

    /// Stops every driver where it stands and waits until all are gone.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A lock that a panic poisoned guards nothing that could be half changed here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
