use serde::{Deserialize, Serialize};

/// Status of a run. `PENDING`: accepted, no node has run. `RUNNING`: nodes can run, even if a pause is open. `PAUSED`:
/// nothing can run before a decision. `COMPLETED`: all nodes have ended and none failed. `FAILED`: all nodes have ended
/// and at least one failed. `CANCELED`: canceled by a request, or a gate was declined and no leaf node has an output.
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

    /// Returns true if the run has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        Self::TERMINAL.contains(&self)
    }

    /// Returns the name in the API and the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Status of a task. `PENDING`: waits for predecessors, for a free slot, or for a gate that blocks all nodes.
/// `RUNNING`: running, or waiting for a retry. `PAUSED`: a gate with an open pause, or a loop that waits for one.
/// `CANCELED`: will not run, was stopped, or produced null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// Returns true if the task has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}
