//! Values as text.

pub(crate) mod python;
pub(crate) mod value_text;
