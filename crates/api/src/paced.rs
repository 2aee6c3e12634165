//! Bodies that keep on coming: one that stops, or drips, is given up.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::{Instant, Sleep};

use crate::state::lock;

/// How many bytes have to come in a second, once the longest pause was used up.
const PACE: u64 = 1_024;

/// Says whether a body came too late.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late(Arc<AtomicBool>);

impl Late {
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What of a body was left unread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rest(Arc<Mutex<Option<Body>>>);

/// How much of it is read, so that the connection can go on.
const MOST_READ: usize = 64 << 10;
/// How long is waited for that.
const WAITED: Duration = Duration::from_secs(1);

impl Rest {
    /// Reads what was left. Whether that was little enough, so that the next request can come behind it.
    pub(crate) async fn is_read(&self) -> bool {
        let rest = lock(&self.0).take();
        let Some(rest) = rest else { return true };
        let read = Limited::new(rest, MOST_READ).collect();
        matches!(tokio::time::timeout(WAITED, read).await, Ok(Ok(_)))
    }
}

/// A body of which each piece has to come within `pause`, and the whole at [`PACE`].
pub(crate) struct Paced {
    body: Body,
    pause: Duration,
    started: Instant,
    received: u64,
    deadline: Pin<Box<Sleep>>,
    late: Late,
    rest: Rest,
}

impl Paced {
    pub(crate) fn new(body: Body, pause: Duration, late: Late, rest: Rest) -> Self {
        let started = Instant::now();
        let deadline = Box::pin(tokio::time::sleep_until(started + pause));
        Self { body, pause, started, received: 0, deadline, late, rest }
    }

    fn next_deadline(&self) -> Instant {
        let paced = self.started + self.pause + Duration::from_secs(self.received / PACE);
        paced.min(Instant::now() + self.pause)
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            *lock(&self.rest.0) = Some(std::mem::take(&mut self.body));
        }
    }
}

impl HttpBody for Paced {
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
        self.late.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new("the body came too late"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
