//! One line of the table.

use std::fmt::{Display, Formatter, Result};

/// What a ratio has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

/// A figure beside its floor.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) figure: String,
    pub(crate) floor: String,
    /// The figure as a part or a multiple of the floor, or the figure itself where there is no floor.
    pub(crate) ratio: f64,
    pub(crate) bar: Bar,
}

impl Row {
    pub(crate) const HEAD: &'static str =
        "| work | figure | floor | ratio | bar | |\n| --- | --- | --- | --- | --- | --- |";
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { work, figure, floor, ratio, bar } = self;
        let (bar, met) = match bar {
            Bar::AtLeast(least) => (format!("≥ {least}"), ratio >= least),
            Bar::AtMost(most) => (format!("≤ {most}"), ratio <= most),
        };
        let met = if met { "ok" } else { "MISSED" };
        write!(f, "| {work} | {figure} | {floor} | {ratio:.2} | {bar} | {met} |")
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A time in its unit.
pub(crate) fn micros(seconds: f64) -> String {
    let micros = seconds * 1e6;
    if micros < 10_000.0 { format!("{micros:.1} µs") } else { format!("{:.1} ms", micros / 1e3) }
}
