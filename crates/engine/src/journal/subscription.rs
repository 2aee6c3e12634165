use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use sluice_domain::run::Event;
use tokio::sync::broadcast;
use uuid::Uuid;

/// Number of commits buffered per run. A subscriber that lags behind by more commits reads the store instead.
const SUBSCRIBER_BUFFER: usize = 64;

/// The subscribers of all runs.
#[derive(Default)]
pub(super) struct Subscribers(Mutex<HashMap<Uuid, Channel>>);

struct Channel {
    sender: broadcast::Sender<LogAppended>,
    subscribers: usize,
}

/// One commit to the log of a run.
#[derive(Clone, Debug)]
pub(crate) struct LogAppended {
    /// The sequence number of the first new event.
    pub(crate) first: u64,
    /// The new events, or `None` if the first subscriber arrived during the commit.
    pub(crate) events: Option<Arc<[Event]>>,
}

/// A subscription to the commits of one run. Dropping it unsubscribes.
pub(crate) struct Subscription {
    subscribers: Arc<Subscribers>,
    run: Uuid,
    receiver: broadcast::Receiver<LogAppended>,
}

impl Subscribers {
    pub(super) fn subscribe(subscribers: &Arc<Self>, run: Uuid) -> Subscription {
        let mut channels = subscribers.0.lock();
        let channel = channels
            .entry(run)
            .or_insert_with(|| Channel { sender: broadcast::channel(SUBSCRIBER_BUFFER).0, subscribers: 0 });
        channel.subscribers += 1;
        Subscription { subscribers: Arc::clone(subscribers), run, receiver: channel.sender.subscribe() }
    }

    pub(super) fn has_any(&self, run: Uuid) -> bool {
        self.0.lock().contains_key(&run)
    }

    pub(super) fn publish(&self, run: Uuid, appended: LogAppended) {
        if let Some(channel) = self.0.lock().get(&run) {
            // Fails only if all subscribers are gone.
            let _ = channel.sender.send(appended);
        }
    }
}

impl Subscription {
    /// Waits for the next commit. Returns `None` if commits were missed.
    pub(crate) async fn recv(&mut self) -> Option<LogAppended> {
        self.receiver.recv().await.ok()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Entry::Occupied(mut channel) = self.subscribers.0.lock().entry(self.run) {
            channel.get_mut().subscribers -= 1;
            if channel.get().subscribers == 0 {
                channel.remove();
            }
        }
    }
}
