//! The shapes of definitions in the OpenAPI document. Definitions themselves are parsed by the domain and
//! answered as the text that was stored; a test holds these shapes to what the domain writes.

use std::collections::HashMap;

use serde_json::Value;
use utoipa::ToSchema;

use crate::values::Fields;

/// A workflow as a graph: nodes, and links along which outputs flow.
#[derive(Debug, ToSchema)]
pub struct WorkflowDefinition {
    /// The nodes, in the order that lists and outputs follow. No nodes at all: the default definition of
    /// the `spur_type`.
    #[schema(max_items = 100_000)]
    pub nodes: Vec<Node>,
    /// The links between nodes.
    #[schema(max_items = 400_000)]
    pub links: Vec<Link>,
    /// Rows of inputs that an editor keeps for trying the workflow; they don't execute.
    #[schema(required = false, nullable = true)]
    pub test_inputs: Option<Vec<Fields>>,
    /// What kind of workflow this is; `workflow` when absent or null.
    #[schema(required = false, nullable = true)]
    pub spur_type: Option<SpurType>,
}

/// How a definition differs from another. What doesn't execute (coordinates, dimensions, test inputs) is left out
/// unless it was asked for.
#[derive(Debug, ToSchema)]
pub struct DefinitionDiff {
    /// How the nodes differ.
    pub nodes: NodesDiff,
    /// How the links differ.
    pub links: LinksDiff,
    /// How the fields beside nodes and links differ.
    pub definition: Vec<FieldChange>,
}

/// How the nodes of two definitions differ.
#[derive(Debug, ToSchema)]
pub struct NodesDiff {
    /// Those that only the later one has.
    pub added: Vec<NodeReference>,
    /// Those that only the earlier one has.
    pub removed: Vec<NodeReference>,
    /// Those that both have, and that differ.
    pub changed: Vec<NodeChange>,
    /// Whether those that both have stand in another order.
    pub reordered: bool,
}

/// How the links of two definitions differ.
#[derive(Debug, ToSchema)]
pub struct LinksDiff {
    /// Those that only the later one has.
    pub added: Vec<Link>,
    /// Those that only the earlier one has.
    pub removed: Vec<Link>,
    /// Whether those that both have stand in another order.
    pub reordered: bool,
}

/// A node, in short.
#[derive(Debug, ToSchema)]
pub struct NodeReference {
    /// Its id.
    pub node_id: String,
    /// What people call it.
    pub title: String,
    /// Its kind.
    pub node_type: String,
}

/// A node that differs.
#[derive(Debug, ToSchema)]
pub struct NodeChange {
    /// Its id.
    pub node_id: String,
    /// What people call it in the later definition.
    pub title: String,
    /// What differs, field by field.
    pub changes: Vec<FieldChange>,
}

/// An operation of a JSON Patch (RFC 6902).
#[derive(Debug, ToSchema)]
pub struct PatchOperation {
    /// What is done.
    #[schema(example = "replace")]
    pub op: String,
    /// Where, as an RFC 6901 pointer into the definition.
    pub path: String,
    /// Of move and copy: from where.
    #[schema(required = false, nullable = false)]
    pub from: Option<String>,
    /// Of add, replace and test: what.
    #[schema(required = false)]
    pub value: Option<Value>,
}

/// A form of a drawing: `svg` is a picture, `mermaid` and `dot` are texts for Mermaid and Graphviz.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum DrawingFormat {
    /// A picture.
    Svg,
    /// Text for Mermaid.
    Mermaid,
    /// Text for Graphviz.
    Dot,
}

/// A field that differs.
#[derive(Debug, ToSchema)]
pub struct FieldChange {
    /// Where, as an RFC 6901 pointer into the node, or into the definition.
    pub pointer: String,
    /// What it was; absent when it was not there.
    #[schema(required = false)]
    pub before: Option<Value>,
    /// What it is; absent when it is not there any more.
    #[schema(required = false)]
    pub after: Option<Value>,
}

/// A definition with the workflow that it belongs to.
#[derive(Debug, ToSchema)]
pub struct PinnedDefinition {
    /// The id of the workflow.
    pub id: uuid::Uuid,
    /// The name of the workflow.
    pub name: String,
    /// As in WorkflowDefinition.
    pub nodes: Vec<Node>,
    /// As in WorkflowDefinition.
    pub links: Vec<Link>,
    /// As in WorkflowDefinition.
    pub test_inputs: Vec<Fields>,
    /// As in WorkflowDefinition.
    pub spur_type: SpurType,
}

/// The kind of a workflow: `workflow` is nodes and links, nothing more; `chatbot` takes a `user_message`
/// and a `session_id` and gives an `assistant_message`; `agent` calls tools on its own.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum SpurType {
    /// Nodes and links, nothing more.
    Workflow,
    /// Takes a `user_message` and a `session_id`, gives an `assistant_message`.
    Chatbot,
    /// Calls tools on its own.
    Agent,
}

/// One step of a workflow.
#[derive(Debug, ToSchema)]
pub struct Node {
    /// The name that links use; unique within its definition.
    #[schema(min_length = 1, max_length = 1000)]
    pub id: String,
    /// The name that people see, and under which other nodes receive the output. Empty becomes the id.
    #[schema(required = false, nullable = true, max_length = 1000)]
    pub title: Option<String>,
    /// The node whose body this node belongs to.
    #[schema(required = false, nullable = true)]
    pub parent_id: Option<String>,
    /// The kind of the node: a `name` of `GET /node/supported_types/`.
    #[schema(example = "InputNode")]
    pub node_type: String,
    /// What the node shall do; its fields depend on the kind, unknown ones are kept.
    #[schema(required = false, nullable = true)]
    pub config: Option<HashMap<String, Value>>,
    /// Where an editor draws the node.
    #[schema(required = false, nullable = true)]
    pub coordinates: Option<Coordinates>,
    /// How large an editor draws the node.
    #[schema(required = false, nullable = true)]
    pub dimensions: Option<Dimensions>,
    /// A definition that this node runs as its body.
    #[schema(required = false, nullable = true, no_recursion)]
    pub subworkflow: Option<Box<WorkflowDefinition>>,
}

/// A link: the output of the source flows to the target.
#[derive(Debug, ToSchema)]
pub struct Link {
    /// The id of the node that gives.
    pub source_id: String,
    /// The id of the node that receives.
    pub target_id: String,
    /// The route by which the link leaves a router.
    #[schema(required = false, nullable = true)]
    pub source_handle: Option<String>,
    /// The place at which an editor lets the link arrive.
    #[schema(required = false, nullable = true)]
    pub target_handle: Option<String>,
}

/// A place on an editor's canvas, in its own units.
#[derive(Debug, ToSchema)]
pub struct Coordinates {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

/// A size on an editor's canvas, in its own units.
#[derive(Debug, ToSchema)]
pub struct Dimensions {
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

/// Where a run stands: `PENDING` nothing has run yet, `RUNNING`, `COMPLETED`, `FAILED` at least one node
/// failed, `PAUSED` a person is waited for, `CANCELED` called off, or declined so that nothing was left.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub enum RunStatus {
    /// Nothing has run yet.
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

/// Where the work of one node stands: `PENDING` it waits for other nodes, `RUNNING`, `COMPLETED`, `FAILED`,
/// `PAUSED` it waits for a person, `CANCELED` it will not run.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub enum TaskStatus {
    /// Waits for other nodes, or for a gate.
    Pending,
    /// At work.
    Running,
    /// Gave its output.
    Completed,
    /// Gave an error.
    Failed,
    /// Waits for a person.
    Paused,
    /// Will not run.
    Canceled,
}

/// Why an attempt gave nothing: `error` the node itself failed, `timeout` it took too long, `crash` what it
/// ran in died.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum FailureKind {
    /// The node itself failed, or gave something that doesn't fit.
    Error,
    /// The attempt took longer than it may.
    Timeout,
    /// What the node ran in died: nothing that the node did.
    Crash,
}

/// What can happen to a run.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum RunEventType {
    /// The run was accepted.
    RunStarted,
    /// A batch was accepted.
    BatchStarted,
    /// The first rows of a batch are about to begin.
    RowsStarted,
    /// Every row of a batch has ended, well or not.
    BatchCompleted,
    /// A node that runs outside of the server's own work is ready and waits for a place.
    TaskQueued,
    /// An attempt at such a node begins.
    TaskStarted,
    /// An attempt failed, and there will be another one.
    TaskRetrying,
    /// What the node gave in another run is taken over.
    TaskReused,
    /// A loop begins its iterations.
    LoopStarted,
    /// A node gave its output.
    TaskCompleted,
    /// A node gave an error.
    TaskFailed,
    /// A node will not run, or not go on.
    TaskCanceled,
    /// The run came to a gate.
    PauseOpened,
    /// A person decided on a gate.
    PauseDecided,
    /// Nothing can run before a person decides.
    RunPaused,
    /// A person decided, the run goes on.
    RunResumed,
    /// The failed run goes on.
    RunRetried,
    /// Every node finished and none failed.
    RunCompleted,
    /// Every node finished and at least one failed.
    RunFailed,
    /// The run was called off, or declined so that nothing was left to give.
    RunCanceled,
}

/// Why a task was canceled: `null_input` a null arrived at it, `upstream_failure` a node before it failed,
/// `declined` a person declined it, `null_output` it gave null itself, `run_canceled` the run was canceled.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum CancelReason {
    /// A null arrived at it.
    NullInput,
    /// A node before it failed.
    UpstreamFailure,
    /// A person declined it.
    Declined,
    /// It gave null itself.
    NullOutput,
    /// The run was canceled.
    RunCanceled,
}

/// What happened to a pause.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum PauseEventType {
    /// A run came to a gate.
    Opened,
    /// A person decided.
    Decided,
}

/// What a person does with an open gate: `APPROVE` lets the paused input go on, with the person's inputs
/// laid over it; `OVERRIDE` lets the person's inputs go on alone; `DECLINE` lets nothing go on.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub enum PauseAction {
    /// The paused input goes on, with the person's inputs laid over it.
    Approve,
    /// Nothing goes on.
    Decline,
    /// The person's inputs go on in place of the paused input.
    Override,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use sluice_domain::graph::{Definition, Link, Node};

    fn keys(value: &Value) -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_shapes_are_those_of_the_domain() {
        let document = crate::document(crate::OpenApiVersion::V3_1, &crate::Settings::new("."));
        let properties = |name: &str| keys(&document["components"]["schemas"][name]["properties"]);
        let written = |value: serde_json::Result<Value>| keys(&value.unwrap());
        assert_eq!(properties("OtherNode"), written(serde_json::to_value(Node::default())));
        assert_eq!(properties("Link"), written(serde_json::to_value(Link::default())));
        let definition = written(serde_json::to_value(Definition::default()));
        assert_eq!(properties("WorkflowDefinition"), definition);
        let mut pinned = definition;
        pinned.extend(["id".to_owned(), "name".to_owned()]);
        assert_eq!(properties("PinnedDefinition"), pinned);
    }
}
