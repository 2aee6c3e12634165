//! The shapes of values that workflows bring along, named once: a client gets one type for each of them.

use std::collections::HashMap;

use serde_json::Value;
use utoipa::ToSchema;

use crate::routes::catalogue::NodeType;

/// Values by field: what a node takes, or what it gives. Which fields there are is up to the workflow.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes what workflows bring along")]
pub struct Fields(HashMap<String, Value>);

/// The fields of several nodes, by the id or the title of the node.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes what workflows bring along")]
pub(crate) struct FieldsByNode(HashMap<String, Fields>);

/// What nodes in a loop gave, by the id of the node, in the order of the iterations.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes what workflows bring along")]
pub(crate) struct IterationsByNode(HashMap<String, Vec<Value>>);

/// Paths of uploaded files, by the id of the node that they are for.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes what an upload answers")]
pub(crate) struct PathsByNode(HashMap<String, Vec<String>>);

/// The kinds of nodes, by category.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes what the nodes crate writes")]
pub(crate) struct NodeTypesByCategory(HashMap<String, Vec<NodeType>>);

/// A file as it lies there: clients get its bytes, and no text or JSON is made of them.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it describes what a download answers")]
pub(crate) struct Download(Vec<u8>);
