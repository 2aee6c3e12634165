//! The kinds that this program can run, one file each.

pub(crate) mod coalesce;
pub(crate) mod for_loop;
pub(crate) mod human_intervention;
pub(crate) mod input;
pub(crate) mod merge;
pub(crate) mod output;
pub(crate) mod python_func;
pub(crate) mod router;
pub(crate) mod static_value;
