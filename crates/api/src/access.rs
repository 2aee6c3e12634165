//! Who makes a call, and whether they may: API keys, their scopes and their rate.

use std::convert::Infallible;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use moka::future::Cache;
use sluice_domain::api_scope::ApiScope;
use sluice_engine::clock;
use sluice_persistence::{ApiKey, Database, PresentedKey};

use crate::operations::Operation;
use crate::problem::{Kind, Problem};
use crate::state::lock;
use crate::{Admission, AppState};

static API_KEY: HeaderName = HeaderName::from_static("x-api-key");
static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How long a key is taken for what it was: a key that is revoked opens nothing after that.
const REMEMBERED: Duration = Duration::from_secs(1);
/// How many keys are remembered, also those that nobody has: whoever guesses doesn't fill the memory.
const MOST_REMEMBERED: u64 = 10_000;
/// How often it is looked whether the key of an open event stream is still taken.
const LOOKED_AFTER: Duration = Duration::from_secs(5);
/// How exactly it is noted when a key was used last.
const USE_NOTED: Duration = Duration::from_secs(60);

type Rates = RateLimiter<String, HashMapStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// What is known of keys, for a moment.
#[derive(Debug)]
pub(crate) struct Access {
    keys: Cache<String, Option<Arc<ApiKey>>>,
    /// Until when it is known that there is no key.
    keyless_until: Mutex<Option<Instant>>,
    /// Once there was a key, calls without one are refused for as long as the server runs.
    has_keys: AtomicBool,
    /// Keys whose use was noted a moment ago.
    noted: Cache<String, ()>,
    rates: Option<Rates>,
}

impl Access {
    /// A key may make so many calls a second; 0: as many as it likes.
    pub(crate) fn new(calls_per_second: u32) -> Self {
        let rates = NonZeroU32::new(calls_per_second).map(|calls| {
            let limiter = RateLimiter::hashmap(Quota::per_second(calls));
            limiter.with_middleware::<StateInformationMiddleware>()
        });
        Self {
            keys: Cache::builder().max_capacity(MOST_REMEMBERED).time_to_live(REMEMBERED).build(),
            keyless_until: Mutex::default(),
            has_keys: AtomicBool::default(),
            noted: Cache::builder().max_capacity(MOST_REMEMBERED).time_to_live(USE_NOTED).build(),
            rates,
        }
    }

    async fn asks_for_keys(&self, db: &Database) -> Result<bool, Problem> {
        if self.has_keys.load(Ordering::Relaxed) {
            return Ok(true);
        }
        if lock(&self.keyless_until).is_some_and(|until| Instant::now() < until) {
            return Ok(false);
        }
        let until = Instant::now() + REMEMBERED;
        let has_keys = db.has_api_keys().await?;
        if has_keys {
            self.has_keys.store(true, Ordering::Relaxed);
        } else {
            *lock(&self.keyless_until) = Some(until);
        }
        Ok(has_keys)
    }

    /// The key that a request shows, if it is taken.
    async fn key_of(&self, db: &Database, headers: &HeaderMap) -> Result<Arc<ApiKey>, Problem> {
        let refused = |detail: &str| Problem::new(Kind::Unauthenticated, detail);
        let text = shown(headers)?.ok_or_else(|| refused(SEND_ONE))?;
        let shown = PresentedKey::parse(text).ok_or_else(|| refused(UNKNOWN))?;
        let found = async { Ok::<_, Problem>(db.api_key(shown.id).await?.map(Arc::new)) };
        let key = self.keys.try_get_with(shown.id.to_owned(), found).await;
        let key = key.map_err(|problem| (*problem).clone())?;
        let is_right = shown.opens(key.as_deref());
        let key = key.filter(|_| is_right).ok_or_else(|| refused(UNKNOWN))?;
        // Who has the secret may know what became of the key.
        match refusal_of(&key) {
            Some(why) => Err(refused(why)),
            None => Ok(key),
        }
    }

    /// Counts a call. What is told of the key's rate, and whether the call is one too many.
    fn count(&self, key: &ApiKey) -> (Vec<(HeaderName, String)>, Result<(), Problem>) {
        let Some(rates) = &self.rates else { return (Vec::new(), Ok(())) };
        let (left, quota, counted) = match rates.check_key(&key.id) {
            Ok(state) => (state.remaining_burst_capacity(), state.quota(), Ok(())),
            Err(not_yet) => {
                let wait = not_yet.wait_time_from(DefaultClock::default().now());
                let detail = format!(
                    "The key {:?} has made as many calls as it may. Go on in {} ms.",
                    key.name,
                    wait.as_millis() + 1
                );
                (0, not_yet.quota(), Err(Problem::new(Kind::TooManyRequests, detail)))
            }
        };
        let most = quota.burst_size();
        let headers = vec![
            (RATE_LIMIT_POLICY.clone(), format!("\"key\";q={most};w=1")),
            (RATE_LIMIT.clone(), format!("\"key\";r={left};t=1")),
        ];
        (headers, counted)
    }

    /// Notes that a key was used, without anybody waiting for it.
    async fn note_use(&self, db: &Database, key: &ApiKey) {
        if self.noted.contains_key(&key.id) {
            return;
        }
        self.noted.insert(key.id.clone(), ()).await;
        let (db, id) = (db.clone(), key.id.clone());
        tokio::spawn(async move {
            if let Err(error) = db.api_key_used(id, clock::now()).await {
                tracing::debug!(%error, "the use of a key was not noted");
            }
        });
    }
}

const SEND_ONE: &str =
    "Send an API key in the header Authorization, as `Bearer KEY`, or in the header X-API-Key.";
const UNKNOWN: &str = "This API key is not known here. Look whether it was copied whole.";

/// The key that a request shows, as text.
fn shown(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let refused = |detail: &str| Problem::new(Kind::Unauthenticated, detail);
    let mut texts = Vec::new();
    for value in headers.get_all(header::AUTHORIZATION) {
        let bearer = value.to_str().ok().and_then(|text| {
            let (scheme, key) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        });
        texts.push(bearer.ok_or_else(|| refused("The header Authorization must be `Bearer KEY`."))?);
    }
    for value in headers.get_all(&API_KEY) {
        texts.push(value.to_str().map_err(|_| refused(UNKNOWN))?);
    }
    match texts.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        // Which one counts would be a guess, and another program on the way may guess otherwise.
        _ => Err(refused("Send one API key, once.")),
    }
}

/// Who makes a call; nobody in particular, on a server without keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller(Option<Arc<ApiKey>>);

impl Caller {
    /// The name of the key.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.as_deref().map(|key| key.name.as_str())
    }

    /// The public part of the key.
    pub(crate) fn id(&self) -> Option<&str> {
        self.0.as_deref().map(|key| key.id.as_str())
    }

    /// The name of the key, to be kept.
    pub(crate) fn into_name(self) -> Option<String> {
        self.name().map(str::to_owned)
    }

    /// That the caller may do what this scope opens.
    pub(crate) fn may(&self, wanted: ApiScope) -> Result<(), Problem> {
        match self.0.as_deref() {
            Some(key) if !key.scopes.iter().any(|scope| scope.grants(wanted)) => {
                let detail =
                    format!("The key {:?} lacks the scope {wanted}, which this call needs.", key.name);
                Err(Problem::new(Kind::ScopeMissing, detail))
            }
            _ => Ok(()),
        }
    }

    /// That the caller may decide in this person's name.
    pub(crate) fn acts_for(&self, person: &str) -> Result<(), Problem> {
        match self.0.as_deref() {
            Some(key) if !key.for_others && key.name != person => {
                let detail = format!(
                    "The key {:?} may not decide for {person:?}. Send its own name as user_id, or use a key that may \
                     act for others.",
                    key.name
                );
                Err(Problem::new(Kind::NotYourself, detail))
            }
            _ => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Lets a call through, or not, and says who makes it.
pub(crate) async fn access(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (caller, headers) = match admitted(&state, &parts).await {
        Ok(admitted) => admitted,
        Err((headers, problem)) => return with_headers(problem.into_response(), headers),
    };
    parts.extensions.insert(caller.clone());
    let mut response = with_headers(next.run(Request::from_parts(parts, body)).await, headers);
    if let (Some(key), true) = (&caller.0, is_event_stream(&response)) {
        let end = taken_away(state, key.id.clone());
        response = response.map(|body| Body::from_stream(body.into_data_stream().take_until(end)));
    }
    // For the log.
    response.extensions_mut().insert(caller);
    response
}

fn is_event_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(mime::TEXT_EVENT_STREAM.as_ref().as_bytes()))
}

/// Waits until a key is no longer taken.
async fn taken_away(state: AppState, id: String) {
    loop {
        tokio::time::sleep(LOOKED_AFTER).await;
        // A store that is away takes no key away.
        let Ok(found) = state.db.api_key(&id).await else { continue };
        if found.is_none_or(|key| refusal_of(&key).is_some()) {
            return;
        }
    }
}

/// Why a key is not taken any more.
fn refusal_of(key: &ApiKey) -> Option<&'static str> {
    if key.revoked_at.is_some() {
        return Some("This API key was revoked. Ask for a new one.");
    }
    let is_over = key.expires_at.is_some_and(|end| end <= clock::now());
    is_over.then_some("This API key has expired. Ask for a new one.")
}

/// Headers for an answer, also for one that is a problem.
type Told = Vec<(HeaderName, String)>;

async fn admitted(state: &AppState, request: &Parts) -> Result<(Caller, Told), (Told, Problem)> {
    let alone = |problem| (Told::new(), problem);
    if state.settings.admission == Admission::Everyone {
        return Ok((Caller::default(), Told::new()));
    }
    let operation = request.extensions.get::<Arc<Operation>>();
    if is_open(request, operation) {
        return Ok((Caller::default(), Told::new()));
    }
    let access = &state.access;
    if !access.asks_for_keys(&state.db).await.map_err(alone)? {
        same_site(request).map_err(alone)?;
        return Ok((Caller::default(), Told::new()));
    }
    let key = access.key_of(&state.db, &request.headers).await.map_err(alone)?;
    let (headers, counted) = access.count(&key);
    if let Err(problem) = counted {
        return Err((headers, problem));
    }
    access.note_use(&state.db, &key).await;
    let caller = Caller(Some(key));
    match operation.and_then(|operation| operation.scope).map(|wanted| caller.may(wanted)) {
        Some(Err(problem)) => Err((headers, problem)),
        Some(Ok(())) | None => Ok((caller, headers)),
    }
}

/// Whether the path is for everyone. By what the router found, and not by how the path is written.
fn is_open(request: &Parts, operation: Option<&Arc<Operation>>) -> bool {
    let path = request.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let is_document = path == "/openapi.json" || path == "/docs" || path.starts_with("/docs/");
    is_document || operation.is_some_and(|operation| operation.scope.is_none())
}

/// On a server without keys whoever is on its machine may call, and so might any web page that is open in a browser
/// there: not if it is from another site, nor under a name that somebody lets point here (DNS rebinding).
fn same_site(request: &Parts) -> Result<(), Problem> {
    let refused = |detail: &str| Err(Problem::new(Kind::CrossSite, detail));
    // What a target names counts, and not the header beside it (RFC 9112, 3.2.2).
    let host = match (request.uri.authority(), request.headers.get(header::HOST)) {
        (Some(target), _) => Some(target.clone()),
        (None, Some(host)) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
        (None, None) => return Ok(()),
    };
    if !host.as_ref().is_some_and(is_here) {
        return refused(
            "A server without API keys is called as localhost or by its address. Use that, or make a key.",
        );
    }
    let Some(origin) = request.headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    if origin.as_ref().and_then(Uri::authority) != host.as_ref() {
        return refused(
            "A server without API keys takes no calls of other web sites. Make a key, and name the site.",
        );
    }
    Ok(())
}

fn is_here(host: &Authority) -> bool {
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

fn with_headers(mut response: Response, headers: Told) -> Response {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
