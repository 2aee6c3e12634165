use crate::run::TaskStatus;

/// How a node in a state looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// The name of the state, in lower case.
    pub(super) name: &'static str,
    /// The colour inside.
    pub(super) fill: &'static str,
    /// The colour of the border.
    pub(super) stroke: &'static str,
    /// Whether the border is dashed.
    pub(super) is_dashed: bool,
}

/// The colour of all text; dark enough on every `fill`.
pub(super) const TEXT: &str = "#1a1a1a";
/// The colour of links.
pub(super) const LINE: &str = "#6b7280";
/// How a node without a state looks.
pub(super) const PLAIN: Style = Style { name: "", fill: "#ffffff", stroke: "#374151", is_dashed: false };

impl Style {
    /// How a node looks in this state.
    pub(super) fn of(state: Option<TaskStatus>) -> Self {
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
