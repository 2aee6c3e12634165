use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Kind of failure of an attempt. `error`: the code failed, or its output was invalid. `timeout`: the attempt exceeded
/// its timeout. `crash`: the Python worker process died or was unreachable. A server crash is an interruption, not a
/// failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The node failed, or its output is invalid.
    Error,
    /// The attempt exceeded its timeout.
    Timeout,
    /// The process that ran the node crashed or was unreachable.
    Crash,
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The error, for the author of the workflow.
    pub error: String,
}

impl Failure {
    /// Returns a failure of the node itself.
    #[must_use]
    pub fn error(error: impl Into<String>) -> Self {
        Self { kind: FailureKind::Error, error: error.into() }
    }
}

/// The timeout and retries of an effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The timeout of one attempt.
    pub timeout: Duration,
    /// The retries.
    pub retry: Retry,
}

/// The retries after failed attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// The maximum number of attempts, including the first. Attempts interrupted by a server shutdown don't count.
    pub max_attempts: u32,
    /// The delay before the second attempt.
    pub backoff: Duration,
    /// The factor by which the delay grows with each attempt.
    pub factor: f64,
    /// The maximum delay.
    pub max_backoff: Duration,
    /// The kinds of failure that are retried.
    pub on: Vec<FailureKind>,
}

impl Retry {
    /// The policy without retries.
    pub const NEVER: Self = Self {
        max_attempts: 1,
        backoff: Duration::ZERO,
        factor: 1.0,
        max_backoff: Duration::ZERO,
        on: Vec::new(),
    };

    /// Returns the delay before the next attempt after `failures` failed attempts, the last one of kind `last`, or
    /// `None` if there is no next attempt.
    #[must_use]
    pub fn delay(&self, failures: u32, last: FailureKind) -> Option<Duration> {
        if failures >= self.max_attempts || !self.on.contains(&last) {
            return None;
        }
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.backoff.as_secs_f64() * self.factor.powi(exponent);
        let longest = self.max_backoff.as_secs_f64();
        // NaN results from 0 × ∞, which means no delay.
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
    fn delays_grow_up_to_the_maximum() {
        let delays: Vec<_> = (1..=4).map(|failures| retry().delay(failures, FailureKind::Error)).collect();
        assert_eq!(
            delays,
            [2, 6, 10].map(|s| Some(Duration::from_secs(s))).into_iter().chain([None]).collect::<Vec<_>>()
        );
    }

    #[test]
    fn retries_only_the_listed_failures() {
        assert_eq!(retry().delay(1, FailureKind::Timeout), None);
        assert_eq!(Retry::NEVER.delay(1, FailureKind::Error), None);
    }

    #[test]
    fn extreme_factors_stay_within_bounds() {
        let extreme_retry = Retry { max_attempts: u32::MAX, factor: f64::MAX, ..retry() };
        assert_eq!(extreme_retry.delay(u32::MAX - 1, FailureKind::Error), Some(Duration::from_secs(10)));
        let no_backoff = Retry { backoff: Duration::ZERO, ..extreme_retry };
        assert_eq!(no_backoff.delay(u32::MAX - 1, FailureKind::Error), Some(Duration::ZERO));
    }
}
