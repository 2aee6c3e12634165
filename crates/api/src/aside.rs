//! Work beside the threads that serve requests.

/// What `work` gives, on a thread that may block: for what takes a while, in which other requests shall not wait. A panic
/// goes on in the caller.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
