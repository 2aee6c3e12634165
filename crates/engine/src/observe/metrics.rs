use std::collections::HashMap;

use chrono::{DateTime, Utc};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::news::{Ended, How, Item, News};
use crate::places::Places;

/// From a millisecond to a day: people decide slowly.
const SECONDS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3_600.0, 86_400.0];
/// What nodes are counted under whose kind this program can't run.
const OTHER: &str = "other";

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// The numbers of runs and nodes. What a run counts is looked up once, here, and not at every commit.
pub(super) struct Metrics {
    begun: Counter,
    ended: Outcomes,
    run_seconds: [Histogram; 3],
    kinds: HashMap<&'static str, Kind>,
    other: Kind,
    families: Families,
}

/// What is registered; the handles above are parts of it.
struct Families {
    runs: Family<Labels<1>, Counter>,
    run_seconds: Histograms<1>,
    nodes: Family<Labels<2>, Counter>,
    node_retries: Family<Labels<1>, Counter>,
    node_seconds: Histograms<1>,
    places: Family<Labels<1>, Gauge>,
    places_taken: Family<Labels<1>, Gauge>,
    places_waiting: Family<Labels<1>, Gauge>,
}

/// How often something ended so.
struct Outcomes([Counter; 3]);

/// The ways in which something ends for good, and where they stand.
const OUTCOMES: [How; 3] = [How::Completed, How::Failed, How::Canceled];

fn place_of(how: How) -> Option<usize> {
    OUTCOMES.iter().position(|known| *known == how)
}

/// The numbers of one kind of node.
struct Kind {
    ended: Outcomes,
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
            places: Family::default(),
            places_taken: Family::default(),
            places_waiting: Family::default(),
        };
        let kind = |name: &'static str| families.kind(name);
        Self {
            begun: Counter::default(),
            ended: Outcomes(OUTCOMES.map(|how| families.runs.get_or_create_owned(&[status(how)]))),
            run_seconds: OUTCOMES.map(|how| families.run_seconds.get_or_create_owned(&[status(how)])),
            kinds: sluice_nodes::runnable_node_types().map(|name| (name, kind(name))).collect(),
            other: kind(OTHER),
            families,
        }
    }
}

fn seconds_histogram() -> Histogram {
    Histogram::new(SECONDS)
}

fn status(how: How) -> (&'static str, &'static str) {
    ("status", how.as_str())
}

impl Families {
    fn kind(&self, name: &'static str) -> Kind {
        let of_kind = ("kind", name);
        Kind {
            ended: Outcomes(OUTCOMES.map(|how| self.nodes.get_or_create_owned(&[of_kind, status(how)]))),
            retries: self.node_retries.get_or_create_owned(&[of_kind]),
            seconds: self.node_seconds.get_or_create_owned(&[of_kind]),
        }
    }
}

impl Metrics {
    pub(super) fn take(&self, news: &News) {
        for item in &news.items {
            match item {
                Item::Began(_) => drop(self.begun.inc()),
                Item::Ended { how, began, at } => self.run_ended(*how, *began, *at),
                Item::Node(ended) => self.node_ended(ended),
                Item::GoesOn(_) | Item::Paused(_) => {}
            }
        }
    }

    fn run_ended(&self, how: How, began: Option<DateTime<Utc>>, at: DateTime<Utc>) {
        self.ended.count(how);
        if let (Some(place), Some(began)) = (place_of(how), began) {
            self.run_seconds[place].observe(seconds(began, at));
        }
    }

    fn node_ended(&self, ended: &Ended) {
        let kind = self.kinds.get(&*ended.kind).unwrap_or(&self.other);
        match ended.how {
            How::Retried => drop(kind.retries.inc()),
            how => kind.ended.count(how),
        }
        if let Some(began) = ended.began {
            kind.seconds.observe(seconds(began, ended.at));
        }
    }

    pub(super) fn look_at_places(&self, runs: &Places, nodes: &Places) {
        for (what, places) in [("runs", runs), ("nodes", nodes)] {
            let (count, of) = (places.count(), [("of", what)]);
            let set = |family: &Family<Labels<1>, Gauge>, number: usize| {
                family.get_or_create(&of).set(i64::try_from(number).unwrap_or(i64::MAX));
            };
            set(&self.families.places, count.total);
            set(&self.families.places_taken, count.taken);
            set(&self.families.places_waiting, count.waiting);
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let Families { runs, run_seconds, nodes, node_retries, node_seconds, .. } = &self.families;
        let Families { places, places_taken, places_waiting, .. } = &self.families;
        let begun = "Runs that were accepted; batches and each of their rows too";
        registry.register("sluice_runs_started", begun, self.begun.clone());
        registry.register("sluice_runs_ended", "Runs that ended, by how", runs.clone());
        let whole = "From the start of a run to its end, waits for people included";
        registry.register("sluice_run_seconds", whole, run_seconds.clone());
        registry.register("sluice_nodes_ended", "Nodes that ended, by kind and how", nodes.clone());
        let retries = "Attempts that failed and are followed by another one, by kind";
        registry.register("sluice_node_retries", retries, node_retries.clone());
        let seconds = "Attempts of nodes that work outside of the server, loops, and gates, by kind";
        registry.register("sluice_node_seconds", seconds, node_seconds.clone());
        registry.register("sluice_concurrency_limit", "How much may go on at the same time", places.clone());
        registry.register("sluice_concurrency_in_use", "How much goes on", places_taken.clone());
        registry.register("sluice_concurrency_waiting", "How much waits for a place", places_waiting.clone());
    }
}

impl Outcomes {
    fn count(&self, how: How) {
        if let Some(place) = place_of(how) {
            self.0[place].inc();
        }
    }
}

/// From one time to another; clocks may go back.
fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).to_std().map_or(0.0, |time| time.as_secs_f64())
}
