use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why an attempt gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The node itself failed, or gave something that doesn't fit.
    Error,
    /// The attempt took longer than it may.
    Timeout,
    /// What the node ran in died or couldn't be reached: nothing that the node did.
    Crash,
}

/// An attempt that gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub kind: FailureKind,
    /// What went wrong, for the author of the workflow.
    pub error: String,
}

impl Failure {
    /// The node itself failed.
    #[must_use]
    pub fn error(error: impl Into<String>) -> Self {
        Self { kind: FailureKind::Error, error: error.into() }
    }
}

/// How long a node that works outside of the log may take, and how often it is tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Whether and when there is another attempt.
    pub retry: Retry,
}

/// Whether and when there is another attempt after a failed one.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// How many attempts there are at most, the first included. Attempts that the end of a server
    /// interrupted don't count.
    pub max_attempts: u32,
    /// How long is waited before the second attempt.
    pub backoff: Duration,
    /// By how much each wait is longer than the one before.
    pub factor: f64,
    /// How long is waited at most.
    pub max_backoff: Duration,
    /// After which failures there is another attempt.
    pub on: Vec<FailureKind>,
}

impl Retry {
    /// Never another attempt.
    pub const NEVER: Self = Self {
        max_attempts: 1,
        backoff: Duration::ZERO,
        factor: 1.0,
        max_backoff: Duration::ZERO,
        on: Vec::new(),
    };

    /// How long to wait before the next attempt, when `failures` attempts have failed and the last one of
    /// them so; none when it was the last attempt.
    #[must_use]
    pub fn delay(&self, failures: u32, last: FailureKind) -> Option<Duration> {
        if failures >= self.max_attempts || !self.on.contains(&last) {
            return None;
        }
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.backoff.as_secs_f64() * self.factor.powi(exponent);
        let longest = self.max_backoff.as_secs_f64();
        // Not a number when nothing grows infinitely: then nothing is waited for.
        let seconds = if seconds.is_nan() { 0.0 } else { seconds.clamp(0.0, longest) };
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(self.max_backoff))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry() -> Retry {
        Retry {
            max_attempts: 4,
            backoff: Duration::from_secs(2),
            factor: 3.0,
            max_backoff: Duration::from_secs(10),
            on: vec![FailureKind::Error],
        }
    }

    #[test]
    fn waits_grow_up_to_the_longest() {
        let waits: Vec<_> = (1..=4).map(|failures| retry().delay(failures, FailureKind::Error)).collect();
        assert_eq!(
            waits,
            [2, 6, 10].map(|s| Some(Duration::from_secs(s))).into_iter().chain([None]).collect::<Vec<_>>()
        );
    }

    #[test]
    fn only_the_named_failures_are_tried_again() {
        assert_eq!(retry().delay(1, FailureKind::Timeout), None);
        assert_eq!(Retry::NEVER.delay(1, FailureKind::Error), None);
    }

    #[test]
    fn no_numbers_break_it() {
        let wild = Retry { max_attempts: u32::MAX, factor: f64::MAX, ..retry() };
        assert_eq!(wild.delay(u32::MAX - 1, FailureKind::Error), Some(Duration::from_secs(10)));
        let nothing = Retry { backoff: Duration::ZERO, ..wild };
        assert_eq!(nothing.delay(u32::MAX - 1, FailureKind::Error), Some(Duration::ZERO));
    }
}
