//! One server on one database, and what a client does with it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use reqwest::header::HeaderMap;
use reqwest::multipart::Form;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::coverage;
use crate::support::database::{Backend, Database};
use crate::support::process::{DEADLINE, Process};

/// An answer of the server, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn content_type(&self) -> &str {
        self.headers.get("content-type").map_or("", |v| v.to_str().expect("a text header"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{}: {e}: {}", self.request, self.text))
    }

    /// The body, when the status is the one that is due.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    pub(crate) fn ok(self) -> Value {
        self.expect(200)
    }

    /// The problem, when it has the status that is due, the form of RFC 9457, and no secrets.
    pub(crate) fn problem(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        let kind = self.content_type();
        assert!(kind.starts_with("application/problem+json"), "{}: {kind}: {}", self.request, self.text);
        let problem = self.json();
        assert_eq!(problem["status"], status, "{}: {problem}", self.request);
        for member in ["type", "title", "detail", "instance"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{}: no {member} in {problem}", self.request);
        }
        let shown = self.text.to_lowercase();
        for secret in ["select ", "insert into", "sqlite", "sqlx", "panicked", "backtrace", ".rs:", "/tmp"] {
            assert!(!shown.contains(secret), "{} shows `{secret}`: {}", self.request, self.text);
        }
        problem
    }

    /// The pointers of a 422, in the order given.
    pub(crate) fn pointers(self) -> Vec<String> {
        let problem = self.problem(422);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {problem}"));
        for error in errors {
            for member in ["code", "detail"] {
                let text = error[member].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "no {member} in {error}");
            }
        }
        errors.iter().map(|e| e["pointer"].as_str().expect("a pointer").to_owned()).collect()
    }
}

/// A server on a fresh database.
pub(crate) struct App {
    // Before the database, so that the server is gone when its database is dropped.
    process: Option<Process>,
    pub(crate) database: Database,
    env: Vec<(String, String)>,
    http: Client,
}

impl App {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_with(kind, &[]).await
    }

    /// Starts with settings beside the usual, as environment variables.
    pub(crate) async fn start_with(backend: Backend, env: &[(&str, &str)]) -> Self {
        Self::start_on(Database::new(backend).await, env).await
    }

    pub(crate) async fn start_on(database: Database, env: &[(&str, &str)]) -> Self {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let http = Client::builder().timeout(DEADLINE).no_proxy().build().expect("an HTTP client");
        let mut app = Self { process: None, database, env, http };
        app.boot().await;
        app
    }

    /// The arguments that start a server on this database.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let data_dir = self.data_dir().display().to_string();
        ["serve", "--listen", "127.0.0.1:0", "--database-url", &self.database.url, "--data-dir", &data_dir]
            .map(str::to_owned)
            .to_vec()
    }

    /// Starts the server again on the same database.
    pub(crate) async fn boot(&mut self) {
        assert!(self.process.is_none(), "the server still runs");
        self.process = Some(Process::start(&self.arguments(), &self.env));
        eventually("/readyz", async || (self.get("/readyz").await.status == 200).then_some(())).await;
    }

    /// Sets an environment variable of the server, or takes it away, from its next start on.
    pub(crate) fn set_env(&mut self, name: &str, value: Option<&str>) {
        self.env.retain(|(key, _)| key != name);
        self.env.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    pub(crate) fn env(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the server has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(Process::has_ended)
    }

    /// Starts a server that has ended by itself again.
    pub(crate) async fn revive(&mut self) {
        self.process = None;
        self.database.wait_until_released().await;
        self.boot().await;
    }

    /// The answer to a POST with an `Idempotency-Key`; none when the server gives none.
    pub(crate) async fn attempt_once(&self, path: &str, key: &str, body: &Value) -> Option<Answer> {
        let request = self.request(Method::POST, path).header("idempotency-key", key);
        self.try_send(request.json(body)).await.ok()
    }

    /// The answer; none when the server gives none.
    pub(crate) async fn attempt(&self, method: Method, path: &str, body: Option<&Value>) -> Option<Answer> {
        self.try_send(with_body(self.request(method, path), body)).await.ok()
    }

    pub(crate) async fn kill9(&mut self) {
        self.process.take().expect("a running server").kill9();
        self.database.wait_until_released().await;
    }

    /// SIGTERM; a server that does not end with 0 fails the test.
    pub(crate) async fn terminate(&mut self) {
        let code = self.process.take().expect("a running server").terminate();
        assert_eq!(code, Some(0), "the exit code after SIGTERM");
        self.database.wait_until_released().await;
    }

    /// SIGTERM, and what is left.
    pub(crate) async fn end(mut self) -> Database {
        self.terminate().await;
        self.database
    }

    pub(crate) async fn crash_and_restart(&mut self) {
        self.kill9().await;
        self.boot().await;
    }

    pub(crate) fn log(&self) -> String {
        self.process.as_ref().expect("a running server").log()
    }

    /// Lets nobody read the log from now on.
    pub(crate) async fn stop_listening(&self) {
        let process = self.process.as_ref().expect("a running server");
        process.stop_listening();
        eventually("the log to be closed", async || {
            self.get("/wf/").await;
            process.is_unheard().then_some(())
        })
        .await;
    }

    /// How long the server itself, without its workers, has worked.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.process.as_ref().expect("a running server").cpu_time()
    }

    /// SIGKILL to the Python workers; answers how many there were.
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

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    async fn try_send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let request = request.build()?;
        let name = format!("{} {}", request.method(), request.url().path());
        let answer = self.http.execute(request).await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await?;
        if let Some((method, path)) = name.split_once(' ') {
            coverage::record(method, path, status, &text);
        }
        Ok(Answer { request: name, status, headers, text })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base()))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// A call without a body, with a header.
    pub(crate) async fn with_header(&self, method: Method, path: &str, name: &str, value: &str) -> Answer {
        self.send(self.request(method, path).header(name, value)).await
    }

    /// A call with headers, of which one may come twice.
    pub(crate) async fn with_headers<V: AsRef<str>>(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, V)],
        body: Option<&Value>,
    ) -> Answer {
        let request = self.request(method, path);
        let with = |request: RequestBuilder, (name, value): &(&str, V)| request.header(*name, value.as_ref());
        self.send(with_body(headers.iter().fold(request, with), body)).await
    }

    /// A call with an API key.
    pub(crate) async fn keyed(&self, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.request(method, path).bearer_auth(key);
        self.send(with_body(request, body)).await
    }

    /// An answer that is still being read.
    pub(crate) async fn stream(&self, path: &str, last_event_id: Option<u64>) -> reqwest::Response {
        let mut request = self.request(Method::GET, path);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id.to_string());
        }
        let answer = request.send().await.unwrap_or_else(|e| panic!("GET {path}: {e:?}"));
        coverage::record("GET", answer.url().path(), answer.status().as_u16(), "");
        answer
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn post_with(&self, path: &str, body: &Value, name: &str, value: &str) -> Answer {
        self.send(self.request(Method::POST, path).header(name, value).json(body)).await
    }

    /// A call with a header and a body.
    pub(crate) async fn put_with(&self, path: &str, body: &Value, name: &str, value: &str) -> Answer {
        self.send(self.request(Method::PUT, path).header(name, value.as_bytes()).json(body)).await
    }

    /// Sends a merge patch, perhaps on the condition of an entity tag.
    pub(crate) async fn patch(&self, path: &str, body: &Value, if_match: Option<&str>) -> Answer {
        let mut request = self.request(Method::PATCH, path).body(body.to_string());
        request = request.header("content-type", "application/merge-patch+json");
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        self.send(request).await
    }

    /// A call without a body.
    pub(crate) async fn call(&self, method: Method, path: &str) -> Answer {
        self.send(self.request(method, path)).await
    }

    pub(crate) async fn upload(&self, form: Form) -> Answer {
        self.form("/wf/upload_test_files/", form).await
    }

    pub(crate) async fn form(&self, path: &str, form: Form) -> Answer {
        self.send(self.request(Method::POST, path).multipart(form)).await
    }

    pub(crate) async fn keyed_form(&self, path: &str, form: Form, key: &str) -> Answer {
        self.send(self.request(Method::POST, path).header("idempotency-key", key).multipart(form)).await
    }

    /// A call whose body is no JSON that we could build.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        self.send(self.request(method, path).header("content-type", kind).body(body.into())).await
    }

    // ---- what most tests do ----

    /// Saves a workflow and returns its id.
    pub(crate) async fn create(&self, body: &Value) -> String {
        id_of(&self.post("/wf/", body).await.ok())
    }

    /// Starts a run and returns its id.
    pub(crate) async fn start_run(&self, workflow: &str, body: &Value) -> String {
        let run = self.post(&format!("/wf/{workflow}/start_run/"), body).await.ok();
        assert_eq!(run["status"], "PENDING", "a started run: {run}");
        id_of(&run)
    }

    /// Runs to the end, or to a gate, and returns the run.
    pub(crate) async fn run(&self, workflow: &str, body: &Value) -> Value {
        let answer = self.post(&format!("/wf/{workflow}/runv2/"), body).await;
        assert!([200, 202].contains(&answer.status), "{}: {}", answer.request, answer.text);
        let (status, run) = (answer.status, answer.json());
        assert_eq!(status == 202, run["status"] == "PAUSED", "202 says that it paused: {run}");
        run
    }

    /// Saves a workflow and runs it.
    pub(crate) async fn create_and_run(&self, workflow: &Value, body: &Value) -> Value {
        let id = self.create(workflow).await;
        self.run(&id, body).await
    }

    pub(crate) async fn read_run(&self, run: &str) -> Value {
        self.get(&format!("/run/{run}/status/")).await.ok()
    }

    /// Waits until the run has the status.
    pub(crate) async fn run_until(&self, run: &str, status: &str) -> Value {
        eventually(&format!("run {run} to be {status}"), async || {
            let now = self.read_run(run).await;
            let final_status = ["COMPLETED", "FAILED", "CANCELED"].iter().any(|s| now["status"] == *s);
            assert!(!final_status || now["status"] == status, "wanted {status}: {now:#}");
            (now["status"] == status).then_some(now)
        })
        .await
    }

    /// Starts a run and waits at its gates.
    pub(crate) async fn start_to_pause(&self, workflow: &Value) -> String {
        let id = self.create(workflow).await;
        let run = self.start_run(&id, &crate::support::definitions::run_body("hi")).await;
        self.run_until(&run, "PAUSED").await;
        run
    }

    pub(crate) async fn pause_decide(&self, run: &str, body: &Value) -> Answer {
        self.post(&format!("/wf/process_pause_action/{run}/"), body).await
    }

    pub(crate) async fn approve(&self, run: &str) -> Value {
        self.pause_decide(run, &json!({"inputs": {}, "user_id": "ada", "action": "APPROVE"})).await.ok()
    }
}

pub(crate) fn id_of(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

/// The task of a node at the top of the workflow.
pub(crate) fn task<'a>(run: &'a Value, node: &str) -> &'a Value {
    let tasks = run["tasks"].as_array().expect("tasks");
    let mut found = tasks.iter().filter(|t| t["node_id"] == node && t["parent_task_id"].is_null());
    let task = found.next().unwrap_or_else(|| panic!("no task of {node} in {run:#}"));
    assert!(found.next().is_none(), "two tasks of {node} in {run:#}");
    task
}

/// The ids of a list of objects.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(id_of).collect()
}

fn with_body(request: RequestBuilder, body: Option<&Value>) -> RequestBuilder {
    body.into_iter().fold(request, |request, body| request.json(body))
}

/// Asks again until there is an answer; only a server that never gives one meets the deadline.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if let Some(value) = ask().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited {DEADLINE:?} for {what}");
}

/// Makes of each test two, one on each database: `on_both_databases!(name, …)` gives `name::sqlite` and
/// `name::postgres`. A test that is not listed is dead code, which the compiler reports.
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
