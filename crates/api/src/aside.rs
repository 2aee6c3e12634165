//! Work beside the task that serves a request.

use opentelemetry::trace::FutureExt as _;

/// What `work` gives, on a thread that may block: for what takes a while, in which other requests shall not wait. A panic
/// goes on in the caller.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// What `work` gives, which goes on to its end although whoever asked for it goes away; in the trace of the request. A
/// panic goes on in the caller.
pub(crate) async fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let done = tokio::spawn(work.with_current_context()).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
