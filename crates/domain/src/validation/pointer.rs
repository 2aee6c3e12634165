/// Escapes one step of an RFC 6901 pointer.
#[must_use]
pub fn pointer_step(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}
