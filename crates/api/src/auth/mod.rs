//! API keys: the caller, the key cache and the rate limit. Nothing here depends on the application state.

pub(crate) mod caller;
pub(crate) mod key_cache;
pub(crate) mod rate_limit;
