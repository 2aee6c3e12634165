use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Delay before a run whose driver panicked gets a new driver.
const RESTART_DELAY: Duration = Duration::from_secs(10);

/// Spawns the drivers of runs as tokio tasks, at most one per run. A paused run has none. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Dispatcher {
    drivers: Arc<Mutex<HashMap<Uuid, Arc<Wake>>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Signals the driver of a run that another task has appended to the log of the run.
#[derive(Default)]
pub(crate) struct Wake {
    notify: Notify,
    /// Changed only while `drivers` is locked, so that no wake is lost between the last check of a driver and its end.
    is_pending: Mutex<bool>,
}

impl Wake {
    /// Waits until the driver is woken, and resets the wake.
    pub(crate) async fn wait(&self) {
        loop {
            let notified = self.notify.notified();
            if self.reset() {
                return;
            }
            notified.await;
        }
    }

    /// Resets the wake. Returns true if it was pending.
    fn reset(&self) -> bool {
        std::mem::take(&mut *self.is_pending.lock())
    }

    fn set(&self) {
        *self.is_pending.lock() = true;
        self.notify.notify_one();
    }
}

impl Dispatcher {
    /// Wakes the driver of `run`, or spawns a driver that `drive` creates. If the driver panics, removes it and calls
    /// `restart` after a delay.
    pub(crate) fn dispatch<F, D, R>(&self, run: Uuid, drive: F, restart: R)
    where
        F: FnOnce(Arc<Wake>) -> D,
        D: Future<Output = ()> + Send + 'static,
        R: FnOnce() + Send + 'static,
    {
        if self.stop.is_cancelled() {
            return;
        }
        let wake = match self.drivers.lock().entry(run) {
            Entry::Occupied(driver) => return driver.get().set(),
            Entry::Vacant(entry) => Arc::clone(entry.insert(Arc::default())),
        };
        self.spawn(run, drive(wake), restart);
    }

    /// Reserves the driver of a run that is about to start, so that a wake before the spawn is not lost. The caller
    /// must spawn or remove the driver.
    pub(crate) fn reserve(&self, run: Uuid) -> Arc<Wake> {
        Arc::clone(self.drivers.lock().entry(run).or_default())
    }

    /// Spawns the reserved driver of a run.
    pub(crate) fn spawn(
        &self,
        run: Uuid,
        driver: impl Future<Output = ()> + Send + 'static,
        restart: impl FnOnce() + Send + 'static,
    ) {
        let dispatcher = self.clone();
        let driver = AssertUnwindSafe(driver).catch_unwind();
        self.tasks.spawn(async move {
            // A driver can be stopped at any point, because the log contains the state of the run.
            let result = dispatcher.stop.run_until_cancelled(driver).await;
            if let Some(Err(_)) = result {
                tracing::error!(%run, delay = ?RESTART_DELAY, "driver panicked, restarting after a delay");
                dispatcher.drivers.lock().remove(&run);
                let delay = tokio::time::sleep(RESTART_DELAY);
                if dispatcher.stop.run_until_cancelled(delay).await.is_some() {
                    restart();
                }
            }
        });
    }

    /// Wakes the driver of `run` if it has one.
    pub(crate) fn wake(&self, run: Uuid) {
        if let Some(wake) = self.drivers.lock().get(&run) {
            wake.set();
        }
    }

    /// Removes the driver of `run`. If it was woken meanwhile, keeps it and returns false: it has to read the log
    /// again.
    pub(crate) fn try_remove(&self, run: Uuid) -> bool {
        let mut drivers = self.drivers.lock();
        if drivers.get(&run).is_some_and(|wake| wake.reset()) {
            return false;
        }
        drivers.remove(&run);
        true
    }

    /// Removes the driver of `run` even if it was woken, because the run doesn't need a driver.
    pub(crate) fn remove(&self, run: Uuid) {
        while !self.try_remove(run) {}
    }

    /// Stops all drivers at their next await points, and waits until they have stopped.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
