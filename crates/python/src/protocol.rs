//! The protocol between pool and worker, over the worker's stdin and stdout.
//!
//! Both sides send frames: the length of the body as a big-endian `u32`, then
//! the body. A request's body is a [`Request`] as JSON. A reply's body is
//! [`Outcome`] and [`Reuse`] as one byte each, then JSON: the returned value or
//! a [`Failure`]. The value isn't wrapped in JSON of its own so that the worker
//! can measure exactly the text which the limit is about.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::Limits;

/// Bytes that a reply may have on top of the returned value.
pub(crate) const REPLY_OVERHEAD: usize = 64 * 1024;

/// Bytes of the length in front of a body.
pub(crate) const HEADER: usize = 4;

/// A snippet to run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request<'a> {
    /// The function body.
    pub code: std::borrow::Cow<'a, str>,
    /// The value of `input_model`.
    pub inputs: std::borrow::Cow<'a, Map<String, Value>>,
    /// Limits of this run.
    pub limits: std::borrow::Cow<'a, Limits>,
}

/// The reason why a run has no result, as the worker reports it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Failure {
    /// See [`PythonError::Syntax`](crate::PythonError::Syntax).
    Syntax { message: String, line: u32 },
    /// See [`PythonError::Raised`](crate::PythonError::Raised).
    Raised { kind: String, message: String, line: Option<u32> },
    /// The interpreter's clock ran out.
    Timeout,
    /// The interpreter rejected an allocation.
    Memory,
    /// Too many nested calls.
    Recursion,
    /// The JSON of the returned value is too long.
    OutputTooLarge,
    /// See [`PythonError::NotJson`](crate::PythonError::NotJson).
    NotJson(String),
    /// See [`PythonError::Unsupported`](crate::PythonError::Unsupported).
    Unsupported(String),
    /// The worker couldn't read the request.
    Request(String),
}

/// First byte of a reply: what follows the two flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The returned value.
    Returned,
    /// A [`Failure`].
    Failed,
}

/// Second byte of a reply: reuse of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// The worker can take another request.
    Keep,
    /// The worker has grown and should be replaced.
    Replace,
}

/// A reply's flags as the two bytes in front of its JSON.
pub(crate) fn flags(outcome: Outcome, reuse: Reuse) -> [u8; 2] {
    [
        match outcome {
            Outcome::Returned => b'+',
            Outcome::Failed => b'-',
        },
        match reuse {
            Reuse::Keep => b'k',
            Reuse::Replace => b'r',
        },
    ]
}

/// Takes a reply's body apart into its flags and its JSON; `None` if it isn't
/// a reply.
pub(crate) fn parse_reply(body: &[u8]) -> Option<(Outcome, Reuse, &[u8])> {
    let (flags, json) = body.split_at_checked(2)?;
    let outcome = match flags[0] {
        b'+' => Outcome::Returned,
        b'-' => Outcome::Failed,
        _ => return None,
    };
    let reuse = match flags[1] {
        b'k' => Reuse::Keep,
        b'r' => Reuse::Replace,
        _ => return None,
    };
    Some((outcome, reuse, json))
}

/// A frame with room for the length in front, which [`finish_frame`] fills in.
pub(crate) fn start_frame() -> Vec<u8> {
    vec![0; HEADER]
}

/// Fills in the length of a frame begun with [`start_frame`]; `None` if the
/// body is too long for a frame.
pub(crate) fn finish_frame(mut frame: Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::try_from(frame.len() - HEADER).ok()?;
    frame[..HEADER].copy_from_slice(&length.to_be_bytes());
    Some(frame)
}
