//! The node kinds, one file each. To add a kind, add a file to this folder, and declare its module and its entry in
//! `runnable_kinds` here. The module of a kind with side effects is public, for its executor in the engine.

mod coalesce;
mod for_loop;
mod human_intervention;
mod input;
mod merge;
mod output;
pub mod python_func;
mod router;
mod static_value;

pub(crate) mod listing;
pub(crate) mod node_kind;
pub(crate) mod planned;

use self::node_kind::RunnableKind;

/// Returns the kinds that the server can run. The catalog lists the kinds of a category in this order.
pub(crate) fn runnable_kinds() -> Vec<RunnableKind> {
    vec![
        RunnableKind::new::<input::InputNode>(),
        RunnableKind::new::<output::OutputNode>(),
        RunnableKind::new::<python_func::PythonFuncNode>(),
        RunnableKind::new::<router::RouterNode>(),
        RunnableKind::new::<coalesce::CoalesceNode>(),
        RunnableKind::new::<merge::MergeNode>(),
        RunnableKind::new::<static_value::StaticValueNode>(),
        RunnableKind::new::<human_intervention::HumanInterventionNode>(),
        RunnableKind::new::<for_loop::ForLoopNode>(),
    ]
}
