//! A server on its own database, and the calls that most tests make.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use reqwest::multipart::Form;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::database::{Backend, Database};
use crate::support::json::id_of;
use crate::support::polling::eventually;
use crate::support::process::{DEADLINE, Process};

/// A server on a fresh database.
pub(crate) struct App {
    // Dropped before the database, so that the server ends first.
    process: Option<Process>,
    pub(crate) database: Database,
    env: Vec<(String, String)>,
    http: Client,
}

impl App {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_with(backend, &[]).await
    }

    /// Starts with more settings, given as environment variables.
    pub(crate) async fn start_with(backend: Backend, env: &[(&str, &str)]) -> Self {
        Self::start_on(Database::new(backend).await, env).await
    }

    pub(crate) async fn start_on(database: Database, env: &[(&str, &str)]) -> Self {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let http = Client::builder().timeout(DEADLINE).no_proxy().build().expect("an HTTP client");
        let mut app = Self { process: None, database, env, http };
        app.start_server().await;
        app
    }

    /// Returns the arguments that start a server on this database.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let data_dir = self.data_dir().display().to_string();
        ["serve", "--listen", "127.0.0.1:0", "--database-url", &self.database.url, "--data-dir", &data_dir]
            .map(str::to_owned)
            .to_vec()
    }

    /// Starts the server on the same database, and waits until it is ready.
    pub(crate) async fn start_server(&mut self) {
        assert!(self.process.is_none(), "the server still runs");
        self.process = Some(Process::start(&self.arguments(), &self.env));
        eventually("/readyz", async || (self.get("/readyz").await.status == 200).then_some(())).await;
    }

    /// Sets or removes an environment variable of the server's next start.
    pub(crate) fn set_env(&mut self, name: &str, value: Option<&str>) {
        self.env.retain(|(key, _)| key != name);
        self.env.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// Restarts the server with more settings, given as environment variables.
    pub(crate) async fn restart_with(&mut self, env: &[(&str, &str)]) {
        self.terminate().await;
        for (name, value) in env {
            self.set_env(name, Some(value));
        }
        self.start_server().await;
    }

    pub(crate) fn env(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns true if the server has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(Process::has_ended)
    }

    /// Restarts a server that has ended by itself.
    pub(crate) async fn restart_after_exit(&mut self) {
        self.process = None;
        self.database.wait_until_released().await;
        self.start_server().await;
    }

    pub(crate) async fn kill9(&mut self) {
        self.process.take().expect("a running server").kill9();
        self.database.wait_until_released().await;
    }

    /// Sends SIGTERM. An exit code other than 0 fails the test.
    pub(crate) async fn terminate(&mut self) {
        let code = self.process.take().expect("a running server").terminate();
        assert_eq!(code, Some(0), "the exit code after SIGTERM");
        self.database.wait_until_released().await;
    }

    /// Terminates the server and returns its database.
    pub(crate) async fn end(mut self) -> Database {
        self.terminate().await;
        self.database
    }

    pub(crate) async fn crash_and_restart(&mut self) {
        self.kill9().await;
        self.start_server().await;
    }

    pub(crate) fn log(&self) -> String {
        self.process.as_ref().expect("a running server").log()
    }

    /// Closes the pipe that the server logs to.
    pub(crate) async fn stop_reading_log(&self) {
        let process = self.process.as_ref().expect("a running server");
        process.stop_reading_log();
        eventually("the log to be closed", async || {
            self.get("/wf/").await;
            process.is_log_closed().then_some(())
        })
        .await;
    }

    /// Returns the processor time of the server without its Python workers.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.process.as_ref().expect("a running server").cpu_time()
    }

    /// Kills the Python workers and returns how many there were.
    pub(crate) fn kill_workers(&self) -> usize {
        let workers = self.process.as_ref().expect("a running server").children();
        let killed = workers.iter().filter(|worker| kill(**worker, Signal::SIGKILL).is_ok());
        killed.count()
    }

    pub(crate) fn base(&self) -> &str {
        &self.process.as_ref().expect("a running server").base
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.database.data_dir()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Request {
        Request::new(self.http.request(method, format!("{}{path}", self.base())))
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    pub(crate) fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    pub(crate) fn patch(&self, path: &str) -> Request {
        self.request(Method::PATCH, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    pub(crate) fn upload(&self, form: Form) -> Request {
        self.post("/wf/upload_test_files/").form(form)
    }

    /// Creates a workflow and returns its id.
    pub(crate) async fn create(&self, body: &Value) -> String {
        id_of(&self.post("/wf/").json(body).await.ok())
    }

    /// Starts a run and returns its id.
    pub(crate) async fn start_run(&self, workflow: &str, body: &Value) -> String {
        let run = self.post(&format!("/wf/{workflow}/start_run/")).json(body).await.ok();
        assert_eq!(run["status"], "PENDING", "a started run: {run}");
        id_of(&run)
    }

    /// Runs a workflow until it ends or pauses, and returns the run.
    pub(crate) async fn run(&self, workflow: &str, body: &Value) -> Value {
        let response = self.post(&format!("/wf/{workflow}/runv2/")).json(body).await;
        assert!([200, 202].contains(&response.status), "{}: {}", response.request, response.text);
        let (status, run) = (response.status, response.json());
        assert_eq!(status == 202, run["status"] == "PAUSED", "202 means paused: {run}");
        run
    }

    /// Creates a workflow and runs it.
    pub(crate) async fn create_and_run(&self, workflow: &Value, body: &Value) -> Value {
        let id = self.create(workflow).await;
        self.run(&id, body).await
    }

    pub(crate) async fn read_run(&self, run: &str) -> Value {
        self.get(&format!("/run/{run}/status/")).await.ok()
    }

    /// Waits until the run has this status. Another final status fails the test.
    pub(crate) async fn run_until(&self, run: &str, status: &str) -> Value {
        eventually(&format!("run {run} to be {status}"), async || {
            let now = self.read_run(run).await;
            let final_status = ["COMPLETED", "FAILED", "CANCELED"].iter().any(|s| now["status"] == *s);
            assert!(!final_status || now["status"] == status, "expected {status}: {now:#}");
            (now["status"] == status).then_some(now)
        })
        .await
    }

    /// Starts a run of a new workflow and waits until it pauses.
    pub(crate) async fn start_to_pause(&self, workflow: &Value) -> String {
        let id = self.create(workflow).await;
        let run = self.start_run(&id, &crate::support::definitions::run_body("hi")).await;
        self.run_until(&run, "PAUSED").await;
        run
    }

    pub(crate) fn pause_decide(&self, run: &str, body: &Value) -> Request {
        self.post(&format!("/wf/process_pause_action/{run}/")).json(body)
    }

    pub(crate) async fn approve(&self, run: &str) -> Value {
        self.pause_decide(run, &json!({"inputs": {}, "user_id": "ada", "action": "APPROVE"})).await.ok()
    }
}

/// Defines two tests for each function, `name::sqlite` and `name::postgres`, each with a server of its own:
/// `on_both_databases!(name, …)`. The compiler reports a function that is not listed as dead code.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::$name($crate::support::app::App::start($crate::support::database::Backend::Sqlite).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$name($crate::support::app::App::start($crate::support::database::Backend::Postgres).await).await;
            }
        }
    )+};
}
pub(crate) use on_both_databases;
