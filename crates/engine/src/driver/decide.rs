use sluice_domain::run::{Decision, Input, InputError, Plan, RunState, decide};

use crate::clock;

/// Decides an input at the current time. If the plan is heavy, first moves the other tasks of this thread to another
/// thread.
pub(crate) fn decide_now(plan: &Plan, state: &mut RunState, input: Input) -> Result<Decision, InputError> {
    if plan.is_heavy() {
        tokio::task::block_in_place(|| decide(plan, state, input, clock::now()))
    } else {
        decide(plan, state, input, clock::now())
    }
}
