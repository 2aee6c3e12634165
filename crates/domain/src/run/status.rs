use serde::{Deserialize, Serialize};

/// The status of a run: `PENDING` before any node has run, `RUNNING`, `COMPLETED`, `FAILED` if a node failed, `PAUSED`
/// while it waits for a person, `CANCELED` by a request, or because a declined gate left it without an output.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum RunStatus {
    /// Accepted; no node has run yet.
    #[default]
    Pending,
    /// Nodes are running, or about to.
    Running,
    /// All nodes ended and none failed.
    Completed,
    /// All nodes ended and at least one failed.
    Failed,
    /// Waiting for a person; no node can run before a decision.
    Paused,
    /// Canceled by a request, or left without an output by a declined gate.
    Canceled,
}

impl RunStatus {
    /// The statuses of ended runs.
    pub const TERMINAL: [Self; 3] = [Self::Completed, Self::Failed, Self::Canceled];
    /// The statuses of runs that need a driver.
    pub const DRIVEN: [Self; 2] = [Self::Pending, Self::Running];

    /// True if the run has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        Self::TERMINAL.contains(&self)
    }

    /// The name in the API and the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The status of a task, which is one node in one run: `PENDING` until other nodes or a gate let it run, `RUNNING`,
/// `COMPLETED`, `FAILED`, `PAUSED` while it waits for a person, `CANCELED` if it won't run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskStatus {
    /// Waiting for other nodes, or for a gate.
    #[default]
    Pending,
    /// Running.
    Running,
    /// Ended with an output.
    Completed,
    /// Ended with an error.
    Failed,
    /// Waiting for a person.
    Paused,
    /// Not run. The output is null.
    Canceled,
}

impl TaskStatus {
    /// True if the task has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}
