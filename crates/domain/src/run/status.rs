use serde::{Deserialize, Serialize};

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunStatus {
    /// Accepted, nothing has run yet.
    #[default]
    Pending,
    /// Nodes run, or are about to.
    Running,
    /// Every node finished and none failed.
    Completed,
    /// Every node finished and at least one failed.
    Failed,
    /// Nothing can run before a person decides.
    Paused,
    /// Called off, or declined so that nothing was left to give.
    Canceled,
}

impl RunStatus {
    /// The statuses that no run leaves.
    pub const TERMINAL: [Self; 3] = [Self::Completed, Self::Failed, Self::Canceled];
    /// The statuses of runs that somebody must drive.
    pub const DRIVEN: [Self; 2] = [Self::Pending, Self::Running];

    /// Whether the run has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        Self::TERMINAL.contains(&self)
    }

    /// The name on the wire and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Paused => "PAUSED",
            Self::Canceled => "CANCELED",
        }
    }
}

impl std::str::FromStr for RunStatus {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let all = [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Paused, Self::Canceled];
        all.into_iter().find(|status| status.as_str() == name).ok_or(())
    }
}

/// Where a task, the work of one node in one run, stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskStatus {
    /// Waits for other nodes, or for a gate.
    #[default]
    Pending,
    /// At work.
    Running,
    /// Gave its output.
    Completed,
    /// Gave an error.
    Failed,
    /// Waits for a person.
    Paused,
    /// Will not run, and passes null on.
    Canceled,
}

impl TaskStatus {
    /// Whether the task has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}
