//! The rate limit of each API key.

use std::num::NonZeroU32;

use axum::http::HeaderName;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use sluice_persistence::ApiKey;

use crate::error::{Problem, ProblemKind};

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Headers of the response to a call. Successes and problems have them.
pub(crate) type RateLimitHeaders = Vec<(HeaderName, String)>;

type Limiter = RateLimiter<String, HashMapStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// The number of calls per second that each key may make.
#[derive(Debug)]
pub(crate) struct RateLimit(Option<Limiter>);

impl RateLimit {
    /// Returns a limit of `max_calls` per second. 0 means no limit.
    pub(crate) fn per_second(max_calls: u32) -> Self {
        Self(NonZeroU32::new(max_calls).map(|max_calls| {
            let limiter = RateLimiter::hashmap(Quota::per_second(max_calls));
            limiter.with_middleware::<StateInformationMiddleware>()
        }))
    }

    /// Counts a call. Returns a problem when the limit is exceeded, and the headers in both cases.
    pub(crate) fn count(&self, key: &ApiKey) -> (RateLimitHeaders, Result<(), Problem>) {
        let Some(limiter) = &self.0 else { return (Vec::new(), Ok(())) };
        let (remaining, quota, result) = match limiter.check_key(&key.id) {
            Ok(state) => (state.remaining_burst_capacity(), state.quota(), Ok(())),
            Err(exceeded) => {
                let wait = exceeded.wait_time_from(DefaultClock::default().now());
                let detail = format!(
                    "Rate limit exceeded for the API key {:?}. Retry in {} ms.",
                    key.name,
                    wait.as_millis() + 1
                );
                (0, exceeded.quota(), Err(Problem::new(ProblemKind::TooManyRequests, detail)))
            }
        };
        let limit = quota.burst_size();
        let headers = vec![
            (RATE_LIMIT_POLICY.clone(), format!("\"key\";q={limit};w=1")),
            (RATE_LIMIT.clone(), format!("\"key\";r={remaining};t=1")),
        ];
        (headers, result)
    }
}
