//! Spans of runs and nodes. The span of a run covers the time from its start until it ends or pauses. When the run
//! resumes, it gets another span, in the trace of the request that resumed it, with a link to the previous span. The
//! span of a node is created when the node has ended, with the times from the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{Link, SpanBuilder, SpanContext, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use parking_lot::{Mutex, MutexGuard};
use uuid::Uuid;

use super::commit_summary::{CommitSummary, NodeEnd, Outcome, SummaryItem};

/// Maximum number of runs with an open span. Further runs don't get a span.
const MAX_OPEN_SPANS: usize = 100_000;
/// Maximum number of paused and failed runs whose last span is stored for links. At the limit, all stored spans are
/// dropped.
const MAX_LINKABLE_SPANS: usize = 10_000;

/// Creates spans.
pub(super) struct Spans {
    tracer: Arc<BoxedTracer>,
    runs: Mutex<RunSpans>,
}

#[derive(Default)]
struct RunSpans {
    /// Spans of runs in progress.
    open: HashMap<Uuid, Context>,
    /// The last spans of runs that are paused, or failed and may be retried.
    linkable: HashMap<Uuid, SpanContext>,
}

impl Spans {
    pub(super) fn new(tracer: Arc<BoxedTracer>) -> Self {
        Self { tracer, runs: Mutex::default() }
    }

    pub(super) fn tracer(&self) -> &Arc<BoxedTracer> {
        &self.tracer
    }

    pub(super) fn record(&self, summary: &CommitSummary) {
        for item in &summary.items {
            match item {
                SummaryItem::RunStarted(at) | SummaryItem::RunResumed(at) => {
                    drop(self.run_context(summary, *at));
                }
                SummaryItem::NodeEnded(end) => self.record_node(summary, end),
                SummaryItem::RunPaused(at) => self.end_run(summary, "paused", *at),
                SummaryItem::RunEnded { outcome, at, .. } => self.end_run(summary, outcome.as_str(), *at),
            }
        }
    }

    /// Returns the context of the open span of the run. Starts a span if there is none. Its parent is the span of the
    /// batch, or the current span. A run that was started by an earlier process gets its own trace.
    fn run_context(&self, summary: &CommitSummary, at: DateTime<Utc>) -> Option<Context> {
        let mut runs = self.runs();
        if let Some(open) = runs.open.get(&summary.run) {
            return Some(open.clone());
        }
        if runs.open.len() >= MAX_OPEN_SPANS {
            return None;
        }
        let batch = summary.batch.and_then(|batch| runs.open.get(&batch).cloned());
        let parent = batch.unwrap_or_else(Context::current);
        let links = runs.linkable.remove(&summary.run).map(Link::with_context);
        let span = SpanBuilder::from_name("run")
            .with_start_time(SystemTime::from(at))
            .with_attributes([
                KeyValue::new("sluice.run.id", summary.run.to_string()),
                KeyValue::new("sluice.workflow.id", summary.workflow.to_string()),
                KeyValue::new("sluice.version.id", summary.version.to_string()),
            ])
            .with_links(links.into_iter().collect());
        let context = Context::new().with_span(self.tracer.build_with_context(span, &parent));
        runs.open.insert(summary.run, context.clone());
        Some(context)
    }

    fn end_run(&self, summary: &CommitSummary, status: &'static str, at: DateTime<Utc>) {
        let Some(context) = self.run_context(summary, at) else { return };
        let has_failed = status == Outcome::Failed.as_str();
        let span = context.span();
        span.set_attribute(KeyValue::new("sluice.run.status", status));
        span.set_status(if has_failed { Status::error("a node failed") } else { Status::Unset });
        span.end_with_timestamp(SystemTime::from(at));
        let mut runs = self.runs();
        runs.open.remove(&summary.run);
        if has_failed || status == "paused" {
            if runs.linkable.len() >= MAX_LINKABLE_SPANS {
                runs.linkable.clear();
            }
            runs.linkable.insert(summary.run, span.span_context().clone());
        }
    }

    fn record_node(&self, summary: &CommitSummary, end: &NodeEnd) {
        let started_at = end.started_at.unwrap_or(end.at);
        let Some(run) = self.run_context(summary, started_at) else { return };
        if !run.span().span_context().is_sampled() {
            return;
        }
        let mut attributes = vec![
            KeyValue::new("sluice.node.kind", Arc::clone(&end.kind)),
            KeyValue::new("sluice.node.status", end.outcome.as_str()),
        ];
        let mut status = Status::Unset;
        if let Some(detail) = &end.detail {
            attributes.push(KeyValue::new("sluice.node.id", detail.path.clone()));
            if let Some(attempt) = detail.attempt {
                attributes.push(KeyValue::new("sluice.node.attempt", i64::from(attempt)));
            }
            if let Some(error) = &detail.error {
                status = Status::error(error.clone());
            }
        }
        let span = SpanBuilder::from_name(format!("node {}", end.kind))
            .with_start_time(SystemTime::from(started_at))
            .with_attributes(attributes);
        let context = Context::new().with_span(self.tracer.build_with_context(span, &run));
        context.span().set_status(status);
        context.span().end_with_timestamp(SystemTime::from(end.at));
    }

    pub(super) fn remove(&self, run: Uuid) {
        let mut runs = self.runs();
        runs.open.remove(&run);
        runs.linkable.remove(&run);
    }

    /// Ends every open span.
    pub(super) fn stop(&self) {
        let open = std::mem::take(&mut self.runs().open);
        for context in open.into_values() {
            context.span().set_attribute(KeyValue::new("sluice.run.status", "interrupted"));
            context.span().end();
        }
    }

    fn runs(&self) -> MutexGuard<'_, RunSpans> {
        // No code panics between two related changes, so a poisoned map is still consistent.
        self.runs.lock()
    }
}
