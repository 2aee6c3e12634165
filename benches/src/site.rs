//! Servers with a temporary folder and a workflow.

use rusqlite::Connection as Sqlite;
use tempfile::TempDir;

use crate::args::{Args, Failure};
use crate::client::request;
use crate::process::{Server, database};
use crate::{definitions, seed};

/// A server with its own folder and one workflow.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) workflow: String,
    pub(crate) folder: TempDir,
}

/// A baseline server on a copy of a database.
pub(crate) struct BaselineSite {
    pub(crate) server: Server,
    /// Removed when the server has ended.
    _folder: TempDir,
}

impl Site {
    /// Starts a server and creates the workflow.
    pub(crate) fn start(args: &Args, definition: &serde_json::Value) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let server = Server::sluice(&args.sluice, folder.path())?;
        let created = server.connect()?.json("POST", "/wf/", &definition.to_string())?;
        let workflow = created["id"].as_str().ok_or("no id")?.to_owned();
        Ok(Self { server, workflow, folder })
    }

    /// Starts a server with one run that is paused at a gate.
    pub(crate) fn start_paused(args: &Args) -> Result<Self, Failure> {
        let site = Self::start(args, &definitions::gate())?;
        let path = format!("/wf/{}/start_run/?wait_seconds=10", site.workflow);
        let start = request("POST", &path, &definitions::inputs());
        // `send` would reject the response because its status is 202.
        site.server.connect()?.follow(&start, b"\"PAUSED\"")?;
        Ok(site)
    }

    /// Returns the request that runs the workflow and waits for its end.
    pub(crate) fn run_request(&self) -> Vec<u8> {
        request("POST", &format!("/wf/{}/run/", self.workflow), &definitions::inputs())
    }

    /// Starts the baselines on a copy of the database.
    pub(crate) fn baseline(&self) -> Result<BaselineSite, Failure> {
        let folder = tempfile::tempdir()?;
        let copy = database(folder.path()).display().to_string();
        Sqlite::open(database(self.folder.path()))?.execute("VACUUM INTO ?1", [copy])?;
        Ok(BaselineSite { server: Server::baseline(folder.path())?, _folder: folder })
    }

    /// Restarts the server on a database with `rows` workflows and runs.
    pub(crate) fn restart_with(&mut self, args: &Args, rows: u64) -> Result<(), Failure> {
        let folder = self.folder.path();
        self.server.stop();
        seed::seed(&database(folder), rows)?;
        self.server = Server::sluice(&args.sluice, folder)?;
        Ok(())
    }
}
