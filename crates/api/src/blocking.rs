//! Work that would block the async runtime.

use std::sync::LazyLock;

use opentelemetry::trace::FutureExt as _;
use tokio::sync::Semaphore;

/// One permit per processor: more work at once would not be faster, and would take more memory.
static CPU_PERMITS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));

/// Runs CPU-bound work on another thread, at most one per processor at a time. A panic resumes in the caller.
pub(crate) async fn cpu_bound<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // The semaphore is never closed, so `acquire` always returns a permit.
    let permit = CPU_PERMITS.acquire().await.ok();
    blocking_io(move || {
        // Held until the work ends, even if the caller is dropped.
        let _permit = permit;
        work()
    })
    .await
}

/// Runs blocking I/O on another thread. A panic resumes in the caller.
pub(crate) async fn blocking_io<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let result = tokio::task::spawn_blocking(work).await;
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Runs `work` to completion even if the caller is dropped, in the trace context of the caller. A panic resumes in the
/// caller.
pub(crate) async fn spawn_detached<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let result = tokio::spawn(work.with_current_context()).await;
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
