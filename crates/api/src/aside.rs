//! Work beside the task that serves a request.

use std::sync::LazyLock;

use opentelemetry::trace::FutureExt as _;
use tokio::sync::Semaphore;

/// As much work at once as there are processors. More would come no faster, and take the memory of all of it.
static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));

/// What `work` gives, on a thread of its own: for what takes a while, in which other requests shall not wait. It waits for
/// its turn. A panic goes on in the caller.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // Never closed, so there is always a place at last.
    let place = PLACES.acquire().await.ok();
    blocking(move || {
        // Kept as long as the work goes on, also when nobody waits for it any more.
        let _place = place;
        work()
    })
    .await
}

/// What `work` gives, on a thread that may block: for what waits for a disk. A panic goes on in the caller.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// What `work` gives, which goes on to its end although whoever asked for it goes away; in the trace of the request. A
/// panic goes on in the caller.
pub(crate) async fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let done = tokio::spawn(work.with_current_context()).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
