//! A definition as a drawing.

mod dot;
mod layout;
mod mermaid;
mod picture;
mod style;
mod svg;

use std::collections::HashMap;

use self::picture::Picture;
use super::Definition;
use crate::run::{TaskPath, TaskStatus};

/// How many nodes and links together are drawn as SVG.
pub const MAX_SVG_SHAPES: usize = 10_000;

/// A format of drawings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drawing {
    /// The text of a Mermaid flowchart, which Markdown viewers draw.
    Mermaid,
    /// The text of a graph for Graphviz.
    Dot,
    /// A picture that stands alone: no scripts, no styles or fonts from elsewhere.
    Svg,
}

/// Why there is no drawing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    /// There is too much to place.
    #[error(
        "The workflow has {shapes} nodes and links; an SVG shows at most {MAX_SVG_SHAPES}. Draw it as \
         Mermaid or DOT."
    )]
    TooLarge {
        /// How many nodes and links there are, those of bodies among them.
        shapes: usize,
    },
}

/// Draws `definition` in `format`, from left to right, every node once.
///
/// What a loop runs stands inside of it: its children or else its body, as in a run. Links between levels,
/// from a node to itself or to none aren't drawn. A link that leaves a router bears the name of its route.
///
/// `states` colours nodes; its keys are those of [`state_key`]. Pending is grey, running blue, completed
/// green, failed red, paused yellow, canceled white with a dashed border; without a state a node is white.
///
/// Mermaid and DOT take time and space that grow with the definition alone; viewers of Mermaid have limits of
/// their own, by default 500 links and 50,000 characters.
///
/// # Errors
/// When an SVG would show more than [`MAX_SVG_SHAPES`] nodes and links.
pub fn draw(
    definition: &Definition,
    format: Drawing,
    states: &HashMap<String, TaskStatus>,
) -> Result<String, DrawError> {
    let picture = Picture::of(definition, states);
    match format {
        Drawing::Mermaid => Ok(mermaid::write(&picture)),
        Drawing::Dot => Ok(dot::write(&picture)),
        Drawing::Svg => {
            let shapes = picture.shapes.len() + picture.arrows.len();
            if shapes > MAX_SVG_SHAPES {
                Err(DrawError::TooLarge { shapes })
            } else {
                Ok(svg::write(&picture))
            }
        }
    }
}

/// Under which key [`draw`] looks up the state of a task: the ids of the loops around it, then its own,
/// with `/` in between. All iterations of a loop have the same.
#[must_use]
pub fn state_key(task: &TaskPath) -> String {
    let loops = task.scope.iter().map(|scope| scope.loop_id.as_str());
    loops.chain([task.node.as_str()]).collect::<Vec<_>>().join("/")
}
