//! Drawings of definitions as SVG, Mermaid and DOT.

mod dot;
mod drawing;
mod layout;
mod mermaid;
mod picture;
mod style;
mod svg;

pub use drawing::{DrawError, DrawingFormat, MAX_SVG_SHAPES, draw, state_key};
