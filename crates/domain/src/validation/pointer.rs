//! JSON pointers (RFC 6901).

use jsonptr::Token;
use serde_path_to_error::{Path, Segment};

/// Escapes one step of a pointer.
#[must_use]
pub fn pointer_step(step: &str) -> String {
    Token::new(step).encoded().to_owned()
}

/// Returns the unescaped steps of a pointer. A step with an invalid escape is returned unchanged.
pub fn pointer_steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| match Token::from_encoded(step) {
        Ok(token) => token.decoded().into_owned(),
        Err(_) => step.to_owned(),
    })
}

/// Converts the path of a deserialization error to a pointer.
#[must_use]
pub fn path_pointer(path: &Path) -> String {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => format!("/{}", pointer_step(key)),
        Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn escaped_steps_are_unescaped(steps in prop::collection::vec("[a~/0-1]{0,6}", 0..5)) {
            let pointer: String = steps.iter().map(|step| format!("/{}", pointer_step(step))).collect();
            prop_assert_eq!(pointer_steps(&pointer).collect::<Vec<_>>(), steps);
        }
    }

    #[test]
    fn step_with_an_invalid_escape_is_unchanged() {
        assert_eq!(pointer_steps("/a~2/b").collect::<Vec<_>>(), ["a~2", "b"]);
    }
}
