//! Runs and their nodes as spans. A run has one from its start to its end, or to where it waits for a person; one more
//! when it goes on, in the trace of whoever let it go on, with a link to the earlier one. What a node did becomes a
//! span when it has ended, by the times in the log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{Link, SpanBuilder, SpanContext, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use uuid::Uuid;

use super::news::{Ended, How, Item, News};

/// How many runs are remembered that go on; more have no spans.
const MOST: usize = 100_000;
/// How many runs are remembered that wait for a person, or have failed: then all are forgotten, and have no links.
const MOST_RESTING: usize = 10_000;

/// Makes spans.
pub(super) struct Spans {
    tracer: Arc<BoxedTracer>,
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    /// The spans of runs that go on.
    open: HashMap<Uuid, Context>,
    /// The last spans of runs that wait for a person, or have failed and may be tried again.
    resting: HashMap<Uuid, SpanContext>,
}

impl Spans {
    pub(super) fn new(tracer: Arc<BoxedTracer>) -> Self {
        Self { tracer, runs: Mutex::default() }
    }

    pub(super) fn tracer(&self) -> &Arc<BoxedTracer> {
        &self.tracer
    }

    pub(super) fn take(&self, news: &News) {
        for item in &news.items {
            match item {
                Item::Began(at) | Item::GoesOn(at) => drop(self.run(news, *at)),
                Item::Node(ended) => self.node(news, ended),
                Item::Paused(at) => self.end(news, "paused", Status::Unset, *at),
                Item::Ended { how, at, .. } => {
                    let status =
                        if *how == How::Failed { Status::error("a node failed") } else { Status::Unset };
                    self.end(news, how.as_str(), status, *at);
                }
            }
        }
    }

    /// The run's span, begun when there is none: in the trace of the request that is being served, of the batch, or in
    /// one of its own when an earlier process began the run.
    fn run(&self, news: &News, at: DateTime<Utc>) -> Option<Context> {
        let mut runs = self.runs();
        if let Some(open) = runs.open.get(&news.run) {
            return Some(open.clone());
        }
        if runs.open.len() >= MOST {
            return None;
        }
        let batch = news.batch.and_then(|batch| runs.open.get(&batch).cloned());
        let parent = batch.unwrap_or_else(Context::current);
        let links = runs.resting.remove(&news.run).map(Link::with_context);
        let span = SpanBuilder::from_name("run")
            .with_start_time(time(at))
            .with_attributes([
                KeyValue::new("sluice.run.id", news.run.to_string()),
                KeyValue::new("sluice.workflow.id", news.workflow.to_string()),
                KeyValue::new("sluice.version.id", news.version.to_string()),
            ])
            .with_links(links.into_iter().collect());
        let context = Context::new().with_span(self.tracer.build_with_context(span, &parent));
        runs.open.insert(news.run, context.clone());
        Some(context)
    }

    /// Ends the run's span.
    fn end(&self, news: &News, status: &'static str, outcome: Status, at: DateTime<Utc>) {
        let Some(context) = self.run(news, at) else { return };
        let span = context.span();
        span.set_attribute(KeyValue::new("sluice.run.status", status));
        span.set_status(outcome);
        span.end_with_timestamp(time(at));
        let mut runs = self.runs();
        runs.open.remove(&news.run);
        let may_go_on = matches!(status, "paused" | "failed");
        if may_go_on {
            if runs.resting.len() >= MOST_RESTING {
                runs.resting.clear();
            }
            runs.resting.insert(news.run, span.span_context().clone());
        }
    }

    fn node(&self, news: &News, ended: &Ended) {
        let began = ended.began.unwrap_or(ended.at);
        let Some(run) = self.run(news, began) else { return };
        if !run.span().span_context().is_sampled() {
            return;
        }
        let mut attributes = vec![
            KeyValue::new("sluice.node.kind", Arc::clone(&ended.kind)),
            KeyValue::new("sluice.node.status", ended.how.as_str()),
        ];
        let mut status = Status::Unset;
        if let Some(detail) = &ended.detail {
            attributes.push(KeyValue::new("sluice.node.id", detail.path.clone()));
            let attempt =
                detail.attempt.map(|attempt| KeyValue::new("sluice.node.attempt", i64::from(attempt)));
            attributes.extend(attempt);
            if let Some(error) = &detail.error {
                status = Status::error(error.clone());
            }
        }
        let span = SpanBuilder::from_name(format!("node {}", ended.kind))
            .with_start_time(time(began))
            .with_attributes(attributes);
        let context = Context::new().with_span(self.tracer.build_with_context(span, &run));
        context.span().set_status(status);
        context.span().end_with_timestamp(time(ended.at));
    }

    pub(super) fn forget(&self, run: Uuid) {
        let mut runs = self.runs();
        runs.open.remove(&run);
        runs.resting.remove(&run);
    }

    /// Ends what is open.
    pub(super) fn stop(&self) {
        let open = std::mem::take(&mut self.runs().open);
        for context in open.into_values() {
            context.span().set_attribute(KeyValue::new("sluice.run.status", "interrupted"));
            context.span().end();
        }
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        // Nothing can panic halfway through a change.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn time(at: DateTime<Utc>) -> SystemTime {
    at.into()
}
