//! The pool of worker processes.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, watch};

use crate::config::{Limits, PoolConfig};
use crate::error::PythonError;
use crate::process::{NoReply, Worker};
use crate::protocol::{self, Failure, Outcome, Request, Reuse};

/// A set of worker processes that run Python snippets.
///
/// Workers are started when they're needed, and are reused. A worker is
/// replaced if it crashed, was killed or has reached the maximum number of runs.
/// Cloning is cheap and returns another handle to the same workers. They're
/// killed when the last handle is dropped.
///
/// Requires a tokio runtime with I/O and time enabled. Must not be used in
/// several runtimes: the pipes of a worker belong to the runtime that started it.
#[derive(Debug, Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: PoolConfig,
    /// One permit per worker process. Permits are assigned in the order of the
    /// requests.
    slots: Semaphore,
    /// Workers that wait for a request. The most recently used one is taken
    /// first: its memory is cached, and the others stay unused under low load.
    idle: Mutex<Vec<Worker>>,
    /// True if the pool is shutting down.
    stopping: watch::Sender<bool>,
}

impl Pool {
    /// Creates a pool. Starts no processes.
    pub fn new(mut config: PoolConfig) -> Self {
        config.workers = config.workers.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            shared: Arc::new(Shared {
                slots: Semaphore::new(config.workers),
                idle: Mutex::new(Vec::new()),
                stopping: watch::Sender::new(false),
                config,
            }),
        }
    }

    /// Runs `code` as the body of a function `user_function(input_model)`,
    /// where `input_model` has the content of `inputs`. Returns the result of
    /// the function, or `null` if it returns nothing.
    ///
    /// Waits for a free worker first if all workers are busy. The time limit
    /// doesn't include this time.
    ///
    /// Cancel-safe: if the future is dropped, the worker is killed and nothing
    /// continues in the background.
    ///
    /// # Errors
    /// See [`PythonError`]. The pool can run the next snippet after any error.
    pub async fn run(&self, code: &str, inputs: &Map<String, Value>) -> Result<Value, PythonError> {
        self.run_within(code, inputs, self.shared.config.limits.time).await
    }

    /// Runs `code` like [`run`](Self::run), but with another time limit.
    ///
    /// # Errors
    /// See [`run`](Self::run).
    pub async fn run_within(
        &self,
        code: &str,
        inputs: &Map<String, Value>,
        time: Duration,
    ) -> Result<Value, PythonError> {
        let shared = &self.shared;
        let frame = shared.request(code, inputs, time)?;
        let mut stopping = shared.stopping.subscribe();
        let _slot = shared.slots.acquire().await.map_err(|_| shutdown_error())?;
        tokio::select! {
            biased;
            // Never fails, because the sender is in `shared`.
            _ = stopping.wait_for(|stopping| *stopping) => Err(shutdown_error()),
            result = shared.run(&frame, time) => result,
        }
    }

    /// Shuts the pool down: kills running snippets. Their callers and all later
    /// callers get [`PythonError::Worker`]. Returns when all worker processes
    /// are gone.
    pub async fn shutdown(&self) {
        let shared = &self.shared;
        shared.stopping.send_replace(true);
        let all_slots = u32::try_from(shared.config.workers).unwrap_or(u32::MAX);
        // Busy and waiting runs release their slots as soon as they see the
        // flag. Fails if the pool has been shut down before.
        if let Ok(slots) = shared.slots.acquire_many(all_slots).await {
            shared.slots.close();
            drop(slots);
        }
        let idle = std::mem::take(&mut *shared.idle());
        for worker in idle {
            worker.kill().await;
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock()
    }

    /// Returns the frame of a request to run `code`.
    fn request(
        &self,
        code: &str,
        inputs: &Map<String, Value>,
        time: Duration,
    ) -> Result<Vec<u8>, PythonError> {
        let request = Request {
            code: Cow::Borrowed(code),
            inputs: Cow::Borrowed(inputs),
            limits: Cow::Owned(Limits { time, ..self.config.limits.clone() }),
        };
        let mut frame = protocol::start_frame();
        serde_json::to_writer(&mut frame, &request)
            .map_err(|error| PythonError::Worker(format!("the inputs can't be sent: {error}")))?;
        // Reject large inputs here, because the worker would run out of memory.
        if frame.len() as u64 > self.config.limits.memory_bytes {
            return Err(PythonError::Memory(self.config.limits.memory_bytes));
        }
        protocol::finish_frame(frame)
            .ok_or_else(|| PythonError::Worker("the inputs are larger than 4 GiB".to_owned()))
    }

    /// Runs a request on an idle or a new worker, within the time limit.
    async fn run(&self, frame: &[u8], time: Duration) -> Result<Value, PythonError> {
        match tokio::time::timeout(time + self.config.grace, self.attempt(frame, time)).await {
            Ok(result) => result,
            // Dropping the future has dropped and killed the worker.
            Err(_) => Err(PythonError::Timeout(time)),
        }
    }

    async fn attempt(&self, frame: &[u8], time: Duration) -> Result<Value, PythonError> {
        let max_reply = self.config.limits.output_bytes.saturating_add(protocol::REPLY_OVERHEAD);
        loop {
            let (mut worker, reused) = match self.take_idle() {
                Some(worker) => (worker, true),
                None => (Worker::spawn(&self.config)?, false),
            };
            match worker.exchange(frame, max_reply).await {
                Ok(body) => return self.finish(worker, &body, time),
                // The worker died while it was idle. (A process that was just
                // killed can seem to be alive for a moment.) The snippet can be
                // run again, because it has no side effects. The loop ends at
                // the latest with a new worker.
                Err(NoReply::NotSent | NoReply::Died) if reused => {}
                Err(NoReply::NotSent | NoReply::Died) => {
                    return Err(worker.diagnose_exit(&self.config).await);
                }
                Err(NoReply::Invalid(reason)) => {
                    worker.kill().await;
                    return Err(PythonError::Worker(reason));
                }
            }
        }
    }

    fn take_idle(&self) -> Option<Worker> {
        let mut idle = self.idle();
        while let Some(mut worker) = idle.pop() {
            if worker.is_alive() {
                return Some(worker);
            }
        }
        None
    }

    /// Parses a reply. Returns the worker to the pool if it can be reused.
    fn finish(&self, mut worker: Worker, body: &[u8], time: Duration) -> Result<Value, PythonError> {
        let invalid_reply = |_| PythonError::Worker("its reply can't be read".to_owned());
        let (outcome, reuse, json) = protocol::parse_reply(body)
            .ok_or_else(|| PythonError::Worker("it sent an invalid reply".to_owned()))?;
        let result = match outcome {
            Outcome::Returned => Ok(serde_json::from_slice(json).map_err(invalid_reply)?),
            Outcome::Failed => Err(serde_json::from_slice::<Failure>(json).map_err(invalid_reply)?),
        };
        worker.runs += 1;
        // After these failures, the worker may have less memory for the next run.
        let may_lack_memory = matches!(result, Err(Failure::Memory | Failure::Request(_)));
        if reuse == Reuse::Keep && !may_lack_memory && worker.runs < self.config.runs_per_worker {
            self.idle().push(worker);
        }
        result.map_err(|failure| self.error(failure, time))
    }

    fn error(&self, failure: Failure, time: Duration) -> PythonError {
        let limits = &self.config.limits;
        match failure {
            Failure::Syntax { message, line } => PythonError::Syntax { message, line },
            Failure::Raised { kind, message, line } => PythonError::Raised { kind, message, line },
            Failure::Timeout => PythonError::Timeout(time),
            Failure::Memory => PythonError::Memory(limits.memory_bytes),
            Failure::Recursion => PythonError::Recursion(limits.recursion_depth),
            Failure::OutputTooLarge => PythonError::OutputTooLarge(limits.output_bytes),
            Failure::NotJson(text) => PythonError::NotJson(text),
            Failure::Unsupported(text) => PythonError::Unsupported(text),
            Failure::Request(text) => PythonError::Worker(text),
        }
    }
}

fn shutdown_error() -> PythonError {
    PythonError::Worker("the pool is shut down".to_owned())
}
