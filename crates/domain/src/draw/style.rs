use crate::run::TaskStatus;

/// The style of a node in a state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// The name of the state in lowercase.
    pub(super) name: &'static str,
    /// The fill color.
    pub(super) fill: &'static str,
    /// The border color.
    pub(super) stroke: &'static str,
    /// True for a dashed border.
    pub(super) is_dashed: bool,
}

/// The text color, with enough contrast on every `fill`.
pub(super) const TEXT: &str = "#1a1a1a";
/// The color of links.
pub(super) const LINE: &str = "#6b7280";
/// The style of a node without a state.
pub(super) const PLAIN: Style = Style { name: "", fill: "#ffffff", stroke: "#374151", is_dashed: false };

impl Style {
    /// Returns the style for a state.
    pub(super) fn for_state(state: Option<TaskStatus>) -> Self {
        let style = |name, fill, stroke| Self { name, fill, stroke, is_dashed: false };
        match state {
            None => PLAIN,
            Some(TaskStatus::Pending) => style("pending", "#e5e7eb", "#6b7280"),
            Some(TaskStatus::Running) => style("running", "#bfdbfe", "#1d4ed8"),
            Some(TaskStatus::Completed) => style("completed", "#bbf7d0", "#15803d"),
            Some(TaskStatus::Failed) => style("failed", "#fecaca", "#b91c1c"),
            Some(TaskStatus::Paused) => style("paused", "#fef08a", "#a16207"),
            Some(TaskStatus::Canceled) => Self { is_dashed: true, ..style("canceled", "#ffffff", "#6b7280") },
        }
    }
}
