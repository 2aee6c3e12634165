use std::collections::HashMap;

use chrono::{DateTime, Utc};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::commit_summary::{CommitSummary, NodeEnd, Outcome, SummaryItem};
use crate::fair_semaphore::Usage;

/// Histogram buckets from a millisecond to a day, because waits for decisions may be long.
const BUCKETS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3_600.0, 86_400.0];
/// The `kind` label of nodes whose kind this server can't run.
const OTHER_KIND: &str = "other";

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// Metrics of runs and nodes, as handles, so that commits don't have to look them up by label.
pub(super) struct Metrics {
    runs_started: Counter,
    runs_ended: OutcomeCounters,
    run_seconds: [Histogram; 3],
    kinds: HashMap<&'static str, KindMetrics>,
    other_kind: KindMetrics,
    families: Families,
}

/// The registered families, which contain the handles in [`Metrics`].
struct Families {
    runs: Family<Labels<1>, Counter>,
    run_seconds: Histograms<1>,
    nodes: Family<Labels<2>, Counter>,
    node_retries: Family<Labels<1>, Counter>,
    node_seconds: Histograms<1>,
    concurrency_limit: Family<Labels<1>, Gauge>,
    concurrency_in_use: Family<Labels<1>, Gauge>,
    concurrency_waiting: Family<Labels<1>, Gauge>,
}

/// One counter for each of [`FINAL_OUTCOMES`].
struct OutcomeCounters([Counter; 3]);

/// The outcomes that end a run or a node.
const FINAL_OUTCOMES: [Outcome; 3] = [Outcome::Completed, Outcome::Failed, Outcome::Canceled];

fn outcome_index(outcome: Outcome) -> Option<usize> {
    FINAL_OUTCOMES.iter().position(|known| *known == outcome)
}

/// Metrics of one node kind.
struct KindMetrics {
    ended: OutcomeCounters,
    retries: Counter,
    seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let families = Families {
            runs: Family::default(),
            run_seconds: Family::new_with_constructor(seconds_histogram),
            nodes: Family::default(),
            node_retries: Family::default(),
            node_seconds: Family::new_with_constructor(seconds_histogram),
            concurrency_limit: Family::default(),
            concurrency_in_use: Family::default(),
            concurrency_waiting: Family::default(),
        };
        Self {
            runs_started: Counter::default(),
            runs_ended: OutcomeCounters(
                FINAL_OUTCOMES.map(|outcome| families.runs.get_or_create_owned(&[status_label(outcome)])),
            ),
            run_seconds: FINAL_OUTCOMES
                .map(|outcome| families.run_seconds.get_or_create_owned(&[status_label(outcome)])),
            kinds: sluice_nodes::runnable_node_types()
                .map(|name| (name, families.kind_metrics(name)))
                .collect(),
            other_kind: families.kind_metrics(OTHER_KIND),
            families,
        }
    }
}

fn seconds_histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

fn status_label(outcome: Outcome) -> (&'static str, &'static str) {
    ("status", outcome.as_str())
}

impl Families {
    fn kind_metrics(&self, name: &'static str) -> KindMetrics {
        let kind_label = ("kind", name);
        KindMetrics {
            ended: OutcomeCounters(
                FINAL_OUTCOMES
                    .map(|outcome| self.nodes.get_or_create_owned(&[kind_label, status_label(outcome)])),
            ),
            retries: self.node_retries.get_or_create_owned(&[kind_label]),
            seconds: self.node_seconds.get_or_create_owned(&[kind_label]),
        }
    }
}

impl Metrics {
    pub(super) fn record(&self, summary: &CommitSummary) {
        for item in &summary.items {
            match item {
                SummaryItem::RunStarted(_) => drop(self.runs_started.inc()),
                SummaryItem::RunEnded { outcome, started_at, at } => {
                    self.record_run(*outcome, *started_at, *at);
                }
                SummaryItem::NodeEnded(end) => self.record_node(end),
                SummaryItem::RunResumed(_) | SummaryItem::RunPaused(_) => {}
            }
        }
    }

    fn record_run(&self, outcome: Outcome, started_at: Option<DateTime<Utc>>, at: DateTime<Utc>) {
        self.runs_ended.increment(outcome);
        if let (Some(index), Some(started_at)) = (outcome_index(outcome), started_at) {
            self.run_seconds[index].observe(seconds_between(started_at, at));
        }
    }

    fn record_node(&self, end: &NodeEnd) {
        let kind = self.kinds.get(&*end.kind).unwrap_or(&self.other_kind);
        match end.outcome {
            Outcome::Retried => drop(kind.retries.inc()),
            outcome => kind.ended.increment(outcome),
        }
        if let Some(started_at) = end.started_at {
            kind.seconds.observe(seconds_between(started_at, end.at));
        }
    }

    pub(super) fn update_concurrency(&self, of: &'static str, usage: &Usage) {
        let gauges = [
            (&self.families.concurrency_limit, usage.limit),
            (&self.families.concurrency_in_use, usage.in_use),
            (&self.families.concurrency_waiting, usage.waiting),
        ];
        for (family, value) in gauges {
            family.get_or_create(&[("of", of)]).set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let Families {
            runs,
            run_seconds,
            nodes,
            node_retries,
            node_seconds,
            concurrency_limit,
            concurrency_in_use,
            concurrency_waiting,
        } = &self.families;
        let help = "Accepted runs, including batches and each of their rows";
        registry.register("sluice_runs_started", help, self.runs_started.clone());
        registry.register("sluice_runs_ended", "Ended runs by status", runs.clone());
        let help = "Time between the start and the end of a run, including waits for decisions";
        registry.register("sluice_run_seconds", help, run_seconds.clone());
        registry.register("sluice_nodes_ended", "Ended nodes by kind and status", nodes.clone());
        let help = "Failed attempts that are followed by another attempt, by kind";
        registry.register("sluice_node_retries", help, node_retries.clone());
        let help = "Duration of loops, gates, and attempts of nodes with side effects, by kind";
        registry.register("sluice_node_seconds", help, node_seconds.clone());
        let help = "Concurrency limit of runs and of nodes with side effects";
        registry.register("sluice_concurrency_limit", help, concurrency_limit.clone());
        let help = "Slots of the concurrency limit in use";
        registry.register("sluice_concurrency_in_use", help, concurrency_in_use.clone());
        let help = "Runs and nodes waiting for a slot";
        registry.register("sluice_concurrency_waiting", help, concurrency_waiting.clone());
    }
}

impl OutcomeCounters {
    fn increment(&self, outcome: Outcome) {
        if let Some(index) = outcome_index(outcome) {
            self.0[index].inc();
        }
    }
}

/// Returns the seconds from `start` to `end`; 0 if the clock was set back in between.
fn seconds_between(start: DateTime<Utc>, end: DateTime<Utc>) -> f64 {
    (end - start).to_std().map_or(0.0, |time| time.as_secs_f64())
}
