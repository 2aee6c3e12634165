//! A journey of a typed client against the server at SLUICE_URL.

use std::collections::HashMap;

use serde_json::{json, Value};
use sluice_client::apis::configuration::Configuration;
use sluice_client::apis::{pauses_api, runs_api, workflows_api, Error};
use sluice_client::events::{follow_paused_workflows, follow_run};
use sluice_client::models::{
    ImportAction, ImportItem, ImportMode, ImportRequest, PauseAction, PauseEventType, Problem, ResumeRunRequest, Run, RunEventType, RunStatus, StartRunRequest, TaskStatus,
    ValidationRequest, Workflow, WorkflowCreateRequest, WorkflowPatch, WorkflowReplaceRequest,
};

const UNKNOWN: &str = "00000000-0000-7000-8000-000000000000";

/// A workflow that waits for a person before anything goes out.
fn refund(name: &str, target: &str) -> WorkflowCreateRequest {
    let order = json!({"id": "order", "title": "order", "node_type": "InputNode",
        "config": {"output_schema": {"customer": "string", "amount": "number"}}});
    let approval = json!({"id": "approval", "title": "approval", "node_type": "HumanInterventionNode",
        "config": {"message": "Please check."}});
    let sent = json!({"id": "sent", "title": "sent", "node_type": "OutputNode", "config": {
        "output_map": {"customer": "approval.order.customer", "reviewer": "approval.reviewer"},
        "output_schema": {"customer": "string", "reviewer": "string"}}});
    let links = json!([{"source_id": "order", "target_id": "approval"},
        {"source_id": "approval", "target_id": target}]);
    let definition = json!({"nodes": [order, approval, sent], "links": links});
    serde_json::from_value(json!({"name": name, "definition": definition})).expect("a workflow")
}

/// Returns the problem of a rejected call.
fn problem<T: std::fmt::Debug, E>(answer: Result<T, Error<E>>, status: u16) -> Problem {
    let Err(Error::ResponseError(refusal)) = answer else { panic!("no {status}") };
    assert_eq!(refusal.status, status, "{}", refusal.content);
    assert!(refusal.entity.is_some(), "the document knows no {status} here: {}", refusal.content);
    let problem: Problem = serde_json::from_str(&refusal.content).expect("a problem");
    assert_eq!(problem.status, i32::from(status));
    problem
}

fn fields(value: Value) -> HashMap<String, Value> {
    serde_json::from_value(value).expect("fields")
}

struct Client(Configuration);

impl Client {
    async fn start(&self, workflow: &Workflow, customer: &str) -> Run {
        let order = fields(json!({"customer": customer, "amount": 120}));
        let inputs = HashMap::from([("order".to_owned(), order)]);
        let body = StartRunRequest { initial_inputs: Some(Some(inputs)), ..StartRunRequest::default() };
        let id = workflow.id.to_string();
        let run = runs_api::start_run(&self.0, &id, None, None, None, None, None, Some(body)).await;
        let run = run.expect("a run");
        assert_eq!(run.status, RunStatus::Pending);
        run
    }

    /// Follows a run until an event of this type.
    async fn until(&self, run: &Run, kind: RunEventType) {
        let mut events = follow_run(&self.0, &run.id.to_string(), None).await.expect("a stream");
        while let Some(event) = events.next().await.expect("an event") {
            assert_eq!(event.run_id, run.id);
            if event.r#type == kind {
                return;
            }
        }
        panic!("no {kind}");
    }

    async fn decide(&self, run: &Run, action: PauseAction) {
        let inputs = fields(json!({"reviewer": "Grace"}));
        let body = ResumeRunRequest::new(inputs, "grace".to_owned(), action);
        let decided = pauses_api::process_pause_action(&self.0, &run.id.to_string(), body, None).await;
        decided.expect("a decision");
    }

    async fn run(&self, run: &Run) -> Run {
        runs_api::get_run(&self.0, &run.id.to_string()).await.expect("the run")
    }

    async fn waiting(&self, run: &Run) {
        let paused = pauses_api::list_paused_workflows(
            &self.0, None, None, None, None, None, None, None, None, None, None, None,
        );
        let paused = paused.await.expect("the pauses");
        let pause = paused.iter().find(|one| one.run.id == run.id).map(|one| &one.current_pause);
        let pause = pause.expect("the pause");
        assert_eq!(pause.pause_message.as_deref(), Some("Please check."));
        let input = pause.input_data.as_ref().expect("what waits");
        assert_eq!(input["order"], json!({"customer": "Bea", "amount": 120}));
    }

    /// Declines one run and approves another.
    async fn approvals(&self, workflow: &Workflow) -> [Run; 2] {
        let declined = self.start(workflow, "Ada").await;
        let approved = self.start(workflow, "Bea").await;
        self.until(&declined, RunEventType::PauseOpened).await;
        self.until(&approved, RunEventType::RunPaused).await;
        self.waiting(&approved).await;

        self.decide(&declined, PauseAction::Decline).await;
        self.until(&declined, RunEventType::RunCanceled).await;
        self.decide(&approved, PauseAction::Approve).await;
        self.until(&approved, RunEventType::RunCompleted).await;
        let done = self.run(&approved).await;
        assert_eq!(done.status, RunStatus::Completed);
        let outputs = done.outputs.expect("outputs");
        assert_eq!(outputs["sent"], fields(json!({"customer": "Bea", "reviewer": "Grace"})));
        let task = done.tasks.iter().find(|task| task.node_id == "approval").expect("the task");
        assert_eq!(task.status, TaskStatus::Completed);
        let gone = self.run(&declined).await;
        assert_eq!(gone.status, RunStatus::Canceled);
        assert!(!gone.outputs.expect("outputs").contains_key("sent"));
        [declined, approved]
    }

    /// The first pause that there ever was.
    async fn first_pause(&self, run: &Run) {
        let mut events = follow_paused_workflows(&self.0, Some("0")).await.expect("a stream");
        let first = events.next().await.expect("an event").expect("the first");
        assert_eq!((first.r#type, first.run_id), (PauseEventType::Opened, run.id));
    }

    /// Takes a workflow out and in again, as a document and in a list.
    async fn copies(&self, workflow: &Workflow) {
        let id = workflow.id.to_string();
        let exported = workflows_api::export_workflow(&self.0, &id, None, None).await.expect("a document");
        let item = ImportItem::WorkflowDocument(Box::new(exported));
        for body in [ImportRequest::Item(item.clone()), ImportRequest::List(vec![item])] {
            let mode = Some(ImportMode::Create);
            let answer = workflows_api::import_workflows(&self.0, body, mode, None, None).await;
            let answer = answer.expect("an import");
            assert_eq!(answer.results[0].action, ImportAction::Create);
        }
    }

    async fn pages(&self) -> Vec<Run> {
        let mut seen = Vec::new();
        for page in 1.. {
            let runs = runs_api::list_runs(
                &self.0, Some(page), Some(1), None, None, None, None, None, None, None, None, None, None,
            );
            let runs = runs.await.expect("a page");
            if runs.is_empty() {
                break;
            }
            seen.extend(runs);
        }
        seen
    }

    async fn problems(&self, workflow: &Workflow) {
        let id = workflow.id.to_string();
        problem(workflows_api::get_workflow(&self.0, UNKNOWN, None).await, 404);
        problem(follow_run(&self.0, UNKNOWN, None).await, 404);
        let another = workflows_api::create_workflow(&self.0, refund("Another", "sent"), None).await;
        another.expect("another workflow");
        let taken: WorkflowPatch = serde_json::from_value(json!({"name": "Another"})).expect("a patch");
        problem(workflows_api::patch_workflow(&self.0, &id, taken, None).await, 409);
        let body = WorkflowReplaceRequest::new("Refund".to_owned(), (*workflow.definition).clone());
        let stale = workflows_api::update_workflow(&self.0, &id, body, Some("\"another\""), None, None).await;
        assert!(problem(stale, 412).current_etag.is_some());
        let broken = workflows_api::create_workflow(&self.0, refund("Refund", "nowhere"), None).await;
        let errors = problem(broken, 422).errors.expect("errors");
        assert_eq!(errors[0].pointer, "/definition/links/1/target_id");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let base_path = std::env::var("SLUICE_URL").expect("SLUICE_URL names the server");
    let bearer_access_token = std::env::var("SLUICE_API_KEY").ok();
    let client = Client(Configuration { base_path, bearer_access_token, ..Configuration::default() });

    let body = ValidationRequest::WorkflowCreateRequest(Box::new(refund("Refund", "sent")));
    let checked = workflows_api::validate_workflow(&client.0, body, None).await.expect("a validation");
    assert!(checked.valid, "{checked:?}");
    let workflow = workflows_api::create_workflow(&client.0, refund("Refund", "sent"), None).await;
    let workflow = workflow.expect("a workflow");
    assert_eq!(workflow.version, 1);
    let runs = client.approvals(&workflow).await;
    client.first_pause(&runs[0]).await;
    let mut seen: Vec<_> = client.pages().await.into_iter().map(|run| run.id).collect();
    let mut due = runs.map(|run| run.id);
    seen.sort_unstable();
    due.sort_unstable();
    assert_eq!(seen, due);
    client.problems(&workflow).await;
    client.copies(&workflow).await;
    println!("the journey is done");
}
