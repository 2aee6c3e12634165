use std::collections::HashMap;

use super::picture::Picture;
use super::{dot, mermaid, svg};
use crate::Definition;
use crate::run::{TaskPath, TaskStatus};

/// The maximum number of nodes and links in an SVG.
pub const MAX_SVG_SHAPES: usize = 10_000;

/// Format of a drawing: `svg` is an image, `mermaid` is source for Mermaid, `dot` is source for Graphviz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(rename_all = "lowercase"))]
pub enum DrawingFormat {
    /// An SVG picture without scripts, external styles or fonts.
    Svg,
    /// A Mermaid flowchart, which Markdown viewers render.
    Mermaid,
    /// A graph for Graphviz.
    Dot,
}

/// The reason why a definition can't be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    /// Too many nodes and links for an SVG.
    #[error(
        "An SVG shows at most {MAX_SVG_SHAPES} nodes and links, and the workflow has {shapes}. Draw it as Mermaid or \
         DOT."
    )]
    TooLarge {
        /// The number of nodes and links, including those of bodies.
        shapes: usize,
    },
}

/// Draws `definition` in `format`, from left to right, every node once.
///
/// The body of a loop is drawn inside the loop: its children or else its subworkflow, as in a run. Links between levels,
/// links from a node to itself and links without a target are left out. A link that leaves a router is labeled with its
/// route.
///
/// `states` colors nodes by [`state_key`]. Pending is gray, running blue, completed green, failed red, paused yellow,
/// canceled white with a dashed border. A node without a state is white.
///
/// The cost of Mermaid and DOT is linear in the definition. Mermaid viewers have limits of their own, by default 500
/// links and 50,000 characters.
///
/// # Errors
/// If an SVG would show more than [`MAX_SVG_SHAPES`] nodes and links.
pub fn draw(
    definition: &Definition,
    format: DrawingFormat,
    states: &HashMap<String, TaskStatus>,
) -> Result<String, DrawError> {
    let picture = Picture::new(definition, states);
    match format {
        DrawingFormat::Mermaid => Ok(mermaid::write(&picture)),
        DrawingFormat::Dot => Ok(dot::write(&picture)),
        DrawingFormat::Svg => {
            let shapes = picture.shapes.len() + picture.arrows.len();
            if shapes > MAX_SVG_SHAPES {
                Err(DrawError::TooLarge { shapes })
            } else {
                Ok(svg::write(&picture))
            }
        }
    }
}

/// Returns the key of a task in the `states` of [`draw`]: the ids of the loops around it and its own, separated by `/`.
/// All iterations of a loop share it.
#[must_use]
pub fn state_key(task: &TaskPath) -> String {
    let loops = task.scope.iter().map(|scope| scope.loop_id.as_str());
    loops.chain([task.node.as_str()]).collect::<Vec<_>>().join("/")
}
