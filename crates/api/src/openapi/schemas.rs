//! The shapes of definitions in the OpenAPI document. Definitions themselves are parsed by the domain and
//! answered as the text that was stored; a test holds these shapes to what the domain writes.

use std::collections::HashMap;

use serde_json::Value;
use utoipa::ToSchema;

use crate::openapi::value_types::Fields;

/// A workflow graph: nodes, and links that pass outputs on.
#[derive(Debug, ToSchema)]
pub struct WorkflowDefinition {
    /// The nodes. Lists and outputs keep their order. If empty, the default definition of the `spur_type` is used.
    #[schema(max_items = 100_000)]
    pub nodes: Vec<Node>,
    /// The links between the nodes.
    #[schema(max_items = 400_000)]
    pub links: Vec<Link>,
    /// Sample inputs stored by an editor. They do not execute.
    #[schema(required = false, nullable = true)]
    pub test_inputs: Option<Vec<Fields>>,
    /// Kind of the workflow. If absent or null, `workflow`.
    #[schema(required = false, nullable = true)]
    pub spur_type: Option<SpurType>,
}

/// Differences between two definitions. Fields that do not execute (coordinates, dimensions, test inputs) are
/// compared only with `layout=true`.
#[derive(Debug, ToSchema)]
pub struct DefinitionDiff {
    /// Differences of the nodes.
    pub nodes: NodesDiff,
    /// Differences of the links.
    pub links: LinksDiff,
    /// Differences of the fields other than `nodes` and `links`.
    pub definition: Vec<FieldChange>,
}

/// Differences between the nodes of two definitions.
#[derive(Debug, ToSchema)]
pub struct NodesDiff {
    /// Present only in the second definition.
    pub added: Vec<NodeReference>,
    /// Present only in the first definition.
    pub removed: Vec<NodeReference>,
    /// Present in both definitions, with differences.
    pub changed: Vec<NodeChange>,
    /// True if the order of the common elements differs.
    pub reordered: bool,
}

/// Differences between the links of two definitions.
#[derive(Debug, ToSchema)]
pub struct LinksDiff {
    /// Present only in the second definition.
    pub added: Vec<Link>,
    /// Present only in the first definition.
    pub removed: Vec<Link>,
    /// True if the order of the common elements differs.
    pub reordered: bool,
}

/// A node, in short.
#[derive(Debug, ToSchema)]
pub struct NodeReference {
    /// Id.
    pub node_id: String,
    /// Name.
    pub title: String,
    /// Node type.
    pub node_type: String,
}

/// A changed node.
#[derive(Debug, ToSchema)]
pub struct NodeChange {
    /// Id.
    pub node_id: String,
    /// Title in the second definition.
    pub title: String,
    /// Changed fields.
    pub changes: Vec<FieldChange>,
}

/// A JSON Patch operation (RFC 6902).
#[derive(Debug, ToSchema)]
pub struct PatchOperation {
    /// The operation.
    #[schema(example = "replace")]
    pub op: String,
    /// JSON Pointer (RFC 6901) into the definition.
    pub path: String,
    /// Source pointer of `move` and `copy`.
    #[schema(required = false, nullable = false)]
    pub from: Option<String>,
    /// Value of `add`, `replace` and `test`.
    #[schema(required = false)]
    pub value: Option<Value>,
}

/// Format of a drawing: `svg` is an image, `mermaid` and `dot` are texts for Mermaid and Graphviz.
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

/// A changed field.
#[derive(Debug, ToSchema)]
pub struct FieldChange {
    /// JSON Pointer (RFC 6901) into the node or the definition.
    pub pointer: String,
    /// Old value. Absent if the field was added.
    #[schema(required = false)]
    pub before: Option<Value>,
    /// New value. Absent if the field was removed.
    #[schema(required = false)]
    pub after: Option<Value>,
}

/// A definition with the id and name of its workflow.
#[derive(Debug, ToSchema)]
pub struct PinnedDefinition {
    /// Id of the workflow.
    pub id: uuid::Uuid,
    /// Name of the workflow.
    pub name: String,
    /// See WorkflowDefinition.
    pub nodes: Vec<Node>,
    /// See WorkflowDefinition.
    pub links: Vec<Link>,
    /// See WorkflowDefinition.
    pub test_inputs: Vec<Fields>,
    /// See WorkflowDefinition.
    pub spur_type: SpurType,
}

/// Kind of a workflow. `workflow`: any nodes and links. `chatbot`: takes `user_message` and `session_id`, returns
/// `assistant_message`. `agent`: calls tools on its own.
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

/// A step of a workflow.
#[derive(Debug, ToSchema)]
pub struct Node {
    /// Id of the node, unique within its definition. Links refer to it.
    #[schema(min_length = 1, max_length = 1000)]
    pub id: String,
    /// Display name. Other nodes receive the output under it. An empty title becomes the id.
    #[schema(required = false, nullable = true, max_length = 1000)]
    pub title: Option<String>,
    /// Id of the node whose body contains this node.
    #[schema(required = false, nullable = true)]
    pub parent_id: Option<String>,
    /// The kind of the node: a `name` of `GET /node/supported_types/`.
    #[schema(example = "InputNode")]
    pub node_type: String,
    /// Config of the node. Its fields depend on the node type. Unknown fields are kept.
    #[schema(required = false, nullable = true)]
    pub config: Option<HashMap<String, Value>>,
    /// Where an editor draws the node.
    #[schema(required = false, nullable = true)]
    pub coordinates: Option<Coordinates>,
    /// Size of the node in an editor.
    #[schema(required = false, nullable = true)]
    pub dimensions: Option<Dimensions>,
    /// A definition that this node runs as its body.
    #[schema(required = false, nullable = true, no_recursion)]
    pub subworkflow: Option<Box<WorkflowDefinition>>,
}

/// A link: passes the output of the source to the target.
#[derive(Debug, ToSchema)]
pub struct Link {
    /// Id of the source node.
    pub source_id: String,
    /// Id of the target node.
    pub target_id: String,
    /// Route by which the link leaves a router.
    #[schema(required = false, nullable = true)]
    pub source_handle: Option<String>,
    /// Handle of the target in an editor.
    #[schema(required = false, nullable = true)]
    pub target_handle: Option<String>,
}

/// Position on the canvas of an editor, in units of the editor.
#[derive(Debug, ToSchema)]
pub struct Coordinates {
    /// Horizontal position, increasing to the right.
    pub x: f64,
    /// Vertical position, increasing downward.
    pub y: f64,
}

/// Size on the canvas of an editor, in units of the editor.
#[derive(Debug, ToSchema)]
pub struct Dimensions {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// Status of a run. `PENDING`: nothing has run yet. `FAILED`: at least one node failed. `PAUSED`: waits for a person.
/// `CANCELED`: canceled, or declined so that no output was left.
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
    /// Canceled, or declined so that no output was left.
    Canceled,
}

/// Status of a task. `PENDING`: waits for other nodes. `PAUSED`: waits for a person. `CANCELED`: will not run.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub enum TaskStatus {
    /// Waits for other nodes or for a gate.
    Pending,
    /// Running.
    Running,
    /// Produced its output.
    Completed,
    /// Failed with an error.
    Failed,
    /// Waits for a person.
    Paused,
    /// Will not run.
    Canceled,
}

/// Kind of failure of an attempt. `error`: the node failed. `timeout`: it exceeded its timeout. `crash`: the process
/// that ran it died.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum FailureKind {
    /// The node itself failed, or its output was invalid.
    Error,
    /// The attempt exceeded its timeout.
    Timeout,
    /// The process that ran the node died.
    Crash,
}

/// Type of a run event.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum RunEventType {
    /// The run was accepted.
    RunStarted,
    /// A batch was accepted.
    BatchStarted,
    /// The first rows of a batch are about to start.
    RowsStarted,
    /// All rows of a batch have ended, successfully or not.
    BatchCompleted,
    /// A node with side effects is ready and waits for a free slot.
    TaskQueued,
    /// An attempt at such a node starts.
    TaskStarted,
    /// An attempt failed and will be retried.
    TaskRetrying,
    /// The output of another run is reused.
    TaskReused,
    /// A loop starts its iterations.
    LoopStarted,
    /// A node produced its output.
    TaskCompleted,
    /// A node failed.
    TaskFailed,
    /// A node will not run, or was stopped.
    TaskCanceled,
    /// The run reached a gate.
    PauseOpened,
    /// A person decided a pause.
    PauseDecided,
    /// Nothing can run before a person decides.
    RunPaused,
    /// A person decided, and the run continues.
    RunResumed,
    /// A failed run continues.
    RunRetried,
    /// Every node finished and none failed.
    RunCompleted,
    /// Every node finished and at least one failed.
    RunFailed,
    /// The run was canceled, or declined so that no output was left.
    RunCanceled,
}

/// Reason why a task was canceled. `null_input`: a predecessor passed null. `upstream_failure`: a node upstream
/// failed. `declined`: a person declined the pause. `null_output`: the node itself produced null. `run_canceled`: the
/// run was canceled.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum CancelReason {
    /// A predecessor passed null.
    NullInput,
    /// A node upstream failed.
    UpstreamFailure,
    /// A person declined the pause.
    Declined,
    /// The node itself produced null.
    NullOutput,
    /// The run was canceled.
    RunCanceled,
}

/// Type of a pause event.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum PauseEventType {
    /// A run reached a gate.
    Opened,
    /// A person decided.
    Decided,
}

/// Decision on a pause. `APPROVE`: the node outputs its paused input, with the keys of `inputs` merged over it.
/// `OVERRIDE`: the node outputs `inputs` alone. `DECLINE`: the node outputs null, and its branch is canceled.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub enum PauseAction {
    /// The node outputs its paused input, with the inputs of the person merged over it.
    Approve,
    /// The node outputs null, and its branch is canceled.
    Decline,
    /// The node outputs the inputs of the person.
    Override,
}
