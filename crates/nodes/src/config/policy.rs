//! Timeouts and retries of nodes with side effects: config fields, and the defaults and caps of the server.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluice_domain::run::{FailureKind, Policy, Retry};
use validator::Validate;

/// Defaults and caps of the server for timeouts and retries.
#[derive(Clone, Debug, PartialEq)]
pub struct Policies {
    /// The policy for fields that a config omits.
    pub default: Policy,
    /// Maximum timeout of one attempt.
    pub max_timeout: Duration,
    /// Maximum number of attempts.
    pub max_attempts: u32,
    /// Maximum delay between two attempts.
    pub max_backoff: Duration,
}

impl Default for Policies {
    /// By default one attempt with a timeout of 10 s. At most 100 attempts, with timeouts and delays of up to an hour.
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

/// Timeout and retries of the node. Values above the maximum of the server are reduced to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub struct PolicyConfig {
    /// Timeout of one attempt, in seconds. Default: `--default-node-timeout-seconds` of the server (10 by
    /// default).
    #[validate(range(min = 0.001))]
    timeout_seconds: Option<f64>,
    /// Retries after a failed attempt.
    #[validate(nested)]
    retry: Option<RetryConfig>,
}

/// Retries after a failed attempt.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub struct RetryConfig {
    /// Maximum number of attempts, including the first. Attempts interrupted by a restart of the server do not count.
    /// Default: `--default-node-attempts` of the server (1 by default).
    #[validate(range(min = 1, max = 4_294_967_295_u32))]
    max_attempts: Option<u32>,
    /// Wait before the second attempt, in seconds. Default: 1.
    #[validate(range(min = 0.0))]
    backoff_seconds: Option<f64>,
    /// Factor by which the wait grows after each attempt. Default: 2.
    #[validate(range(min = 1.0))]
    backoff_factor: Option<f64>,
    /// Maximum wait between two attempts, in seconds. Default: 60.
    #[validate(range(min = 0.0))]
    max_backoff_seconds: Option<f64>,
    /// Failures to retry. Default: all.
    on: Option<Vec<RetryOn>>,
}

/// A failure that can be retried.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RetryOn {
    /// The code failed, or its output was invalid.
    Error,
    /// The attempt exceeded its timeout.
    Timeout,
    /// The Python worker process died or was unreachable. A server crash is an interruption, not a failure.
    Crash,
}

impl PolicyConfig {
    /// Returns the policy of a node: its config, completed with the defaults and limited by the caps of the server.
    pub(crate) fn into_policy(self, server: &Policies) -> Policy {
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

/// Returns the configured time or the default, but at most `cap`.
fn seconds(configured: Option<f64>, default: Duration, cap: Duration) -> Duration {
    configured.map_or(default, |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(cap)).min(cap)
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
        serde_json::from_value::<PolicyConfig>(config).unwrap_or_default().into_policy(&Policies::default())
    }

    #[test]
    fn absent_fields_get_the_defaults_of_the_server() {
        assert_eq!(policy(json!({})), Policies::default().default);
        assert_eq!(policy(json!({"retry": {"max_attempts": null}})), Policies::default().default);
    }

    #[test]
    fn values_are_capped_by_the_server() {
        let retry = json!({"max_attempts": 4_000_000, "backoff_seconds": 1e300, "max_backoff_seconds": 1e9});
        let policy = policy(json!({"timeout_seconds": 1e300, "retry": retry}));
        assert_eq!(policy.timeout, Duration::from_secs(3_600));
        assert_eq!(policy.retry.max_attempts, 100);
        assert_eq!(policy.retry.backoff, Duration::from_secs(3_600));
        assert_eq!(policy.retry.max_backoff, Duration::from_secs(3_600));
    }
}
