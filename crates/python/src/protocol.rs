//! The protocol between pool and worker, over stdin and stdout of the worker.
//!
//! Both sides send frames: the length of the body as a big-endian `u32`, then
//! the body. The body of a request is a [`Request`] as JSON. The body of a reply
//! is [`Outcome`] and [`Reuse`] as one byte each, then the returned value or a
//! [`Failure`] as JSON. The value is not part of a larger JSON object, so that
//! the worker can measure exactly the text that the limit applies to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::Limits;

/// Maximum size of a reply without the returned value, in bytes.
pub(crate) const REPLY_OVERHEAD: usize = 64 * 1024;

/// Size of the length before a body, in bytes.
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

/// The reason why a run failed, as reported by the worker.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Failure {
    /// See [`PythonError::Syntax`](crate::PythonError::Syntax).
    Syntax { message: String, line: u32 },
    /// See [`PythonError::Raised`](crate::PythonError::Raised).
    Raised { kind: String, message: String, line: Option<u32> },
    /// The run exceeded its time limit.
    Timeout,
    /// The run exceeded its memory limit.
    Memory,
    /// The nested calls exceeded the recursion limit.
    Recursion,
    /// The JSON of the returned value exceeded the size limit.
    OutputTooLarge,
    /// See [`PythonError::NotJson`](crate::PythonError::NotJson).
    NotJson(String),
    /// See [`PythonError::Unsupported`](crate::PythonError::Unsupported).
    Unsupported(String),
    /// The worker couldn't read the request.
    Request(String),
}

/// First byte of a reply: the type of the JSON after the flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The returned value.
    Returned,
    /// A [`Failure`].
    Failed,
}

/// Second byte of a reply: whether the worker can be reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// The worker can take another request.
    Keep,
    /// The worker has grown and should be replaced.
    Replace,
}

/// Encodes the flags of a reply: the two bytes before its JSON.
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

/// Splits the body of a reply into its flags and its JSON. Returns `None` if it
/// is invalid.
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

/// Returns a frame that contains only space for the length, which [`finish_frame`] fills in.
pub(crate) fn start_frame() -> Vec<u8> {
    vec![0; HEADER]
}

/// Fills in the length of a frame that was created with [`start_frame`]. Returns
/// `None` if the body is too long for a frame.
pub(crate) fn finish_frame(mut frame: Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::try_from(frame.len() - HEADER).ok()?;
    frame[..HEADER].copy_from_slice(&length.to_be_bytes());
    Some(frame)
}
