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

/// Tells the driver of a run that another task appended to the run's log.
#[derive(Default)]
pub(crate) struct Wake {
    notify: Notify,
    /// Changed only while `drivers` is locked, so no wake is lost between a driver's last check and its end.
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
    /// Wakes the driver of `run`, or spawns the one that `drive` creates. If the driver panics it is removed, and
    /// `restart` is called after a delay.
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
            // Stopping in the middle loses nothing: the log holds the position.
            let result = dispatcher.stop.run_until_cancelled(driver).await;
            if let Some(Err(_)) = result {
                tracing::error!(%run, delay = ?RESTART_DELAY, "driver panicked, it is restarted after a delay");
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

    /// Removes the driver of `run`. Returns false, and keeps it, if it was woken meanwhile and has to look again.
    pub(crate) fn try_remove(&self, run: Uuid) -> bool {
        let mut drivers = self.drivers.lock();
        if drivers.get(&run).is_some_and(|wake| wake.reset()) {
            return false;
        }
        drivers.remove(&run);
        true
    }

    /// Removes the driver of `run` although it may have been woken: the run has nothing to drive.
    pub(crate) fn remove(&self, run: Uuid) {
        while !self.try_remove(run) {}
    }

    /// Stops every driver at its next await point, and waits for all of them.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
