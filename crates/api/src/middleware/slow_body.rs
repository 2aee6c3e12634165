//! Timeouts for request bodies that stop or arrive too slowly.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use crate::error::{Problem, ProblemKind};

/// Aborts requests whose body stops or arrives too slowly.
pub(crate) async fn enforce_min_rate<F: Future<Output = Response>>(
    chunk_timeout: Duration,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    if request.body().is_end_stream() {
        return next(request).await;
    }
    let (timed_out, unread) = (TimedOut::default(), UnreadBody::default());
    let limit_rate =
        |body| Body::new(MinRateBody::new(body, chunk_timeout, timed_out.clone(), unread.clone()));
    let mut response = next(request.map(limit_rate)).await;
    if timed_out.get() {
        let detail = "The body is incomplete or arrived too slowly. Send it again.";
        response = Problem::new(ProblemKind::RequestTimeout, detail).into_response();
    }
    if timed_out.get() || !unread.drain().await {
        // The rest of the body may still arrive, so the connection cannot be used for another request.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The minimum rate of a body, once it has used up the chunk timeout.
const MIN_BYTES_PER_SECOND: u64 = 1_024;

/// Set when a body timed out.
#[derive(Clone, Debug, Default)]
struct TimedOut(Arc<AtomicBool>);

impl TimedOut {
    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The rest of a body that the handler did not read.
#[derive(Clone, Debug, Default)]
struct UnreadBody(Arc<Mutex<Option<Body>>>);

/// The maximum size of an unread rest that is drained to keep the connection, in bytes.
const MAX_DRAINED: usize = 64 << 10;

/// Timeout for draining.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

impl UnreadBody {
    /// Reads the rest. Returns true if the connection can be used for the next request.
    async fn drain(&self) -> bool {
        let rest = self.0.lock().take();
        let Some(rest) = rest else { return true };
        let read = Limited::new(rest, MAX_DRAINED).collect();
        matches!(tokio::time::timeout(DRAIN_TIMEOUT, read).await, Ok(Ok(_)))
    }
}

/// A body whose chunks must each arrive within `chunk_timeout`, and on average at [`MIN_BYTES_PER_SECOND`].
struct MinRateBody {
    body: Body,
    chunk_timeout: Duration,
    started: Instant,
    received: u64,
    deadline: Pin<Box<Sleep>>,
    timed_out: TimedOut,
    rest: UnreadBody,
}

impl MinRateBody {
    fn new(body: Body, chunk_timeout: Duration, timed_out: TimedOut, rest: UnreadBody) -> Self {
        let started = Instant::now();
        let deadline = Box::pin(tokio::time::sleep_until(started + chunk_timeout));
        Self { body, chunk_timeout, started, received: 0, deadline, timed_out, rest }
    }

    fn next_deadline(&self) -> Instant {
        let due =
            self.started + self.chunk_timeout + Duration::from_secs(self.received / MIN_BYTES_PER_SECOND);
        due.min(Instant::now() + self.chunk_timeout)
    }
}

impl Drop for MinRateBody {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            *self.rest.0.lock() = Some(std::mem::take(&mut self.body));
        }
    }
}

impl HttpBody for MinRateBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some(Ok(frame)) = &frame {
                self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                let next = self.next_deadline();
                self.deadline.as_mut().reset(next);
            }
            return Poll::Ready(frame);
        }
        ready!(self.deadline.as_mut().poll(context));
        self.timed_out.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new("body timed out"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
