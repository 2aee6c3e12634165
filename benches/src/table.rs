//! The rows of the table, as Markdown.

use std::fmt::{Display, Formatter, Result};

/// The bound of a ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Threshold {
    AtLeast(f64),
    AtMost(f64),
}

/// A figure and its baseline.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) figure: String,
    pub(crate) baseline: String,
    /// The figure divided by the baseline, or the figure itself if there is no baseline.
    pub(crate) ratio: f64,
    pub(crate) threshold: Threshold,
}

impl Row {
    pub(crate) const HEAD: &'static str =
        "| work | figure | baseline | ratio | threshold | |\n| --- | --- | --- | --- | --- | --- |";
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { work, figure, baseline, ratio, threshold } = self;
        let (threshold, is_met) = match threshold {
            Threshold::AtLeast(minimum) => (format!("≥ {minimum}"), ratio >= minimum),
            Threshold::AtMost(maximum) => (format!("≤ {maximum}"), ratio <= maximum),
        };
        let result = if is_met { "ok" } else { "MISSED" };
        write!(f, "| {work} | {figure} | {baseline} | {ratio:.2} | {threshold} | {result} |")
    }
}

/// Returns the median, or NaN without values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Formats a time in microseconds or milliseconds.
pub(crate) fn format_time(seconds: f64) -> String {
    let micros = seconds * 1e6;
    if micros < 10_000.0 { format!("{micros:.1} µs") } else { format!("{:.1} ms", micros / 1e3) }
}
