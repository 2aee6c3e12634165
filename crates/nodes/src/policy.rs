//! How long nodes that work outside of the log may take and how often they are tried: what their configs
//! ask for, within what the server allows.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluice_domain::run::{FailureKind, Policy, Retry};
use validator::Validate;

/// What a server gives to nodes that ask for nothing, and what it allows at most.
#[derive(Clone, Debug, PartialEq)]
pub struct Policies {
    /// For what a config leaves out.
    pub default: Policy,
    /// The longest time of one attempt.
    pub max_timeout: Duration,
    /// The most attempts.
    pub max_attempts: u32,
    /// The longest wait between two attempts.
    pub max_backoff: Duration,
}

impl Default for Policies {
    /// 10 s an attempt and one attempt; at most an hour, 100 attempts and an hour between two.
    fn default() -> Self {
        Self {
            default: Policy {
                timeout: Duration::from_secs(10),
                retry: Retry {
                    max_attempts: 1,
                    backoff: Duration::from_secs(1),
                    factor: 2.0,
                    max_backoff: Duration::from_secs(60),
                    on: vec![FailureKind::Error, FailureKind::Timeout, FailureKind::Crash],
                },
            },
            max_timeout: Duration::from_secs(3_600),
            max_attempts: 100,
            max_backoff: Duration::from_secs(3_600),
        }
    }
}

/// How long the node may take and how often it is tried. The server has defaults and caps for each.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub struct PolicyConfig {
    /// How long one attempt may take, in seconds.
    #[validate(range(min = 0.001))]
    timeout_seconds: Option<f64>,
    /// Whether and when there is another attempt after a failed one.
    #[validate(nested)]
    retry: Option<RetryConfig>,
}

/// Whether and when there is another attempt after a failed one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub struct RetryConfig {
    /// How many attempts there are at most, the first included.
    #[validate(range(min = 1, max = 4_294_967_295_u32))]
    max_attempts: Option<u32>,
    /// How long is waited before the second attempt, in seconds.
    #[validate(range(min = 0.0))]
    backoff_seconds: Option<f64>,
    /// By how much each wait is longer than the one before.
    #[validate(range(min = 1.0))]
    backoff_factor: Option<f64>,
    /// How long is waited at most, in seconds.
    #[validate(range(min = 0.0))]
    max_backoff_seconds: Option<f64>,
    /// After which failures there is another attempt: all, where nothing is said.
    on: Option<Vec<RetryOn>>,
}

/// A failure after which there may be another attempt.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RetryOn {
    /// The node itself failed, or gave something that doesn't fit.
    Error,
    /// The attempt took longer than it may.
    Timeout,
    /// What the node ran in died: nothing that the node did.
    Crash,
}

impl PolicyConfig {
    /// What the node gets of the server.
    pub(crate) fn within(self, server: &Policies) -> Policy {
        let Self { timeout_seconds, retry } = self;
        let RetryConfig { max_attempts, backoff_seconds, backoff_factor, max_backoff_seconds, on } =
            retry.unwrap_or_default();
        let Policy { timeout, retry: default } = &server.default;
        let max_backoff = seconds(max_backoff_seconds, default.max_backoff, server.max_backoff);
        Policy {
            timeout: seconds(timeout_seconds, *timeout, server.max_timeout),
            retry: Retry {
                max_attempts: max_attempts
                    .unwrap_or(default.max_attempts)
                    .clamp(1, server.max_attempts.max(1)),
                backoff: seconds(backoff_seconds, default.backoff, max_backoff),
                factor: backoff_factor.unwrap_or(default.factor),
                max_backoff,
                on: on.map_or_else(|| default.on.clone(), |on| on.into_iter().map(Into::into).collect()),
            },
        }
    }
}

/// The time that was asked for, or the default; at most `cap`.
fn seconds(asked: Option<f64>, default: Duration, cap: Duration) -> Duration {
    asked.map_or(default, |asked| Duration::try_from_secs_f64(asked).unwrap_or(cap)).min(cap)
}

impl From<RetryOn> for FailureKind {
    fn from(on: RetryOn) -> Self {
        match on {
            RetryOn::Error => Self::Error,
            RetryOn::Timeout => Self::Timeout,
            RetryOn::Crash => Self::Crash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(config: serde_json::Value) -> Policy {
        serde_json::from_value::<PolicyConfig>(config).unwrap_or_default().within(&Policies::default())
    }

    #[test]
    fn what_is_left_out_is_the_servers() {
        assert_eq!(policy(json!({})), Policies::default().default);
        assert_eq!(policy(json!({"retry": {"max_attempts": null}})), Policies::default().default);
    }

    #[test]
    fn nothing_goes_beyond_the_caps() {
        let retry = json!({"max_attempts": 4_000_000, "backoff_seconds": 1e300, "max_backoff_seconds": 1e9});
        let policy = policy(json!({"timeout_seconds": 1e300, "retry": retry}));
        assert_eq!(policy.timeout, Duration::from_secs(3_600));
        assert_eq!(policy.retry.max_attempts, 100);
        assert_eq!(policy.retry.backoff, Duration::from_secs(3_600));
        assert_eq!(policy.retry.max_backoff, Duration::from_secs(3_600));
    }
}
