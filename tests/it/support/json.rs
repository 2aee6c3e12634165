//! Reading and checking the JSON bodies of responses.

use serde_json::Value;

pub(crate) fn id_of(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

/// Returns the task of a node at the top level of the workflow.
pub(crate) fn task<'a>(run: &'a Value, node: &str) -> &'a Value {
    let tasks = run["tasks"].as_array().expect("tasks");
    let mut matches = tasks.iter().filter(|t| t["node_id"] == node && t["parent_task_id"].is_null());
    let task = matches.next().unwrap_or_else(|| panic!("no task of {node} in {run:#}"));
    assert!(matches.next().is_none(), "two tasks of {node} in {run:#}");
    task
}

/// Returns the ids of a list of objects.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(id_of).collect()
}

/// Checks members of a JSON object: `assert_json!(run, {"status": "COMPLETED", "outputs": {}})`. The object may have
/// more members than these; each of these has exactly this value. A message can follow after a semicolon.
macro_rules! assert_json {
    ($actual:expr, {$($members:tt)*}) => {
        $crate::support::json::assert_members(&$actual, &serde_json::json!({$($members)*}), "")
    };
    ($actual:expr, {$($members:tt)*}; $($message:tt)+) => {
        $crate::support::json::assert_members(&$actual, &serde_json::json!({$($members)*}), &format!($($message)+))
    };
}
pub(crate) use assert_json;

#[track_caller]
pub(crate) fn assert_members(actual: &Value, expected: &Value, message: &str) {
    for (name, value) in expected.as_object().expect("an object of members") {
        assert_eq!(&actual[name], value, "{name} of {actual:#}\n{message}");
    }
}
