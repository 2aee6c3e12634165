//! Positions of shapes: columns by the longest path that leads to a shape.

use std::collections::VecDeque;

use super::picture::{Arrow, Picture};

/// The width of a node.
const WIDTH: i64 = 184;
/// The height of a node.
const HEIGHT: i64 = 48;
/// The height of the header of a shape with children.
const HEADER: i64 = 48;
/// The padding inside a border.
const PADDING: i64 = 16;
/// The gap between columns, where arrows and their labels pass.
const COLUMN_GAP: i64 = 104;
/// The gap between shapes in a column.
const ROW_GAP: i64 = 24;

/// The maximum number of lanes. There may be far more lanes than links if links pass many columns.
const MAX_LANES: usize = 20_000;

/// A rectangle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    /// The left edge.
    pub(super) x: i64,
    /// The top edge.
    pub(super) y: i64,
    /// The width.
    pub(super) width: i64,
    /// The height.
    pub(super) height: i64,
}

/// The crossing of a link through a column in which it doesn't end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    /// The left edge of the column.
    pub(super) x: i64,
    /// The vertical position of the link.
    pub(super) y: i64,
    /// The width of the column.
    pub(super) width: i64,
}

/// The positions of all shapes and lanes.
#[derive(Debug)]
pub(super) struct Layout {
    /// The area of every shape.
    pub(super) areas: Vec<Area>,
    /// The lanes of every arrow, in order.
    pub(super) lanes: Vec<Vec<Lane>>,
    /// The total width.
    pub(super) width: i64,
    /// The total height.
    pub(super) height: i64,
}

impl Layout {
    /// Arranges the shapes of a picture: sizes from the inside out, then positions from the outside in.
    pub(super) fn new(picture: &Picture) -> Self {
        let mut builder = LayoutBuilder::new(picture);
        for (index, shape) in picture.shapes.iter().enumerate().rev() {
            if !shape.children.is_empty() {
                let (width, height) = builder.arrange(&shape.children, index);
                builder.areas[index].width = width + 2 * PADDING;
                builder.areas[index].height = height + HEADER + PADDING;
            }
        }
        let (width, height) = builder.arrange(&picture.top, picture.shapes.len());
        let LayoutBuilder { mut areas, mut lanes, .. } = builder;
        let origin = |parent: Option<usize>, areas: &[Area]| match parent {
            Some(parent) => (areas[parent].x + PADDING, areas[parent].y + HEADER),
            None => (PADDING, PADDING),
        };
        for (index, shape) in picture.shapes.iter().enumerate() {
            let (x, y) = origin(shape.parent, &areas);
            areas[index].x += x;
            areas[index].y += y;
        }
        for (arrow, lanes) in picture.arrows.iter().zip(&mut lanes) {
            let (x, y) = origin(picture.shapes[arrow.source].parent, &areas);
            for lane in lanes {
                lane.x += x;
                lane.y += y;
            }
        }
        Self { areas, lanes, width: width + 2 * PADDING, height: height + 2 * PADDING }
    }
}

/// An item of a column.
#[derive(Clone, Copy, Debug)]
enum Item {
    /// The shape with this index.
    Shape(usize),
    /// A lane of the arrow with this index.
    Lane(usize),
}

/// Arranges one level at a time, each with its own origin.
struct LayoutBuilder<'a> {
    picture: &'a Picture,
    /// The arrows directly inside every shape, then those at the top.
    arrows: Vec<Vec<usize>>,
    areas: Vec<Area>,
    lanes: Vec<Vec<Lane>>,
    /// The position of every shape within its level.
    positions: Vec<usize>,
    /// The number of lanes that may still be added.
    spare_lanes: usize,
}

impl<'a> LayoutBuilder<'a> {
    fn new(picture: &'a Picture) -> Self {
        let count = picture.shapes.len();
        let mut arrows = vec![Vec::new(); count + 1];
        for (index, arrow) in picture.arrows.iter().enumerate() {
            arrows[picture.shapes[arrow.source].parent.unwrap_or(count)].push(index);
        }
        let areas = vec![Area { x: 0, y: 0, width: WIDTH, height: HEIGHT }; count];
        let lanes = vec![Vec::new(); picture.arrows.len()];
        Self { picture, arrows, areas, lanes, positions: vec![0; count], spare_lanes: MAX_LANES }
    }

    /// Arranges the shapes of a level and returns its size.
    fn arrange(&mut self, shapes: &[usize], level: usize) -> (i64, i64) {
        let columns = self.columns(shapes, level);
        let height = columns.iter().map(|column| self.height(column)).max().unwrap_or_default();
        let mut x = 0;
        for column in &columns {
            let width = column.iter().map(|item| self.size(*item).0).max().unwrap_or_default();
            let mut y = (height - self.height(column)) / 2;
            for item in column {
                let size = self.size(*item);
                match *item {
                    Item::Shape(shape) => {
                        self.areas[shape].x = x + (width - size.0) / 2;
                        self.areas[shape].y = y;
                    }
                    Item::Lane(arrow) => self.lanes[arrow].push(Lane { x, y, width }),
                }
                y += size.1 + ROW_GAP;
            }
            x += width + COLUMN_GAP;
        }
        ((x - COLUMN_GAP).max(0), height)
    }

    fn size(&self, item: Item) -> (i64, i64) {
        match item {
            Item::Shape(shape) => (self.areas[shape].width, self.areas[shape].height),
            Item::Lane(_) => (0, 0),
        }
    }

    fn height(&self, column: &[Item]) -> i64 {
        column.iter().map(|item| self.size(*item).1 + ROW_GAP).sum::<i64>() - ROW_GAP
    }

    /// Returns the columns of a level. A link that passes columns has a lane in each of them, unless too few lanes are
    /// left.
    fn columns(&mut self, shapes: &[usize], level: usize) -> Vec<Vec<Item>> {
        for (position, shape) in shapes.iter().enumerate() {
            self.positions[*shape] = position;
        }
        let ends = |arrow: &usize| {
            let Arrow { source, target, .. } = self.picture.arrows[*arrow];
            (self.positions[source], self.positions[target])
        };
        let links: Vec<_> = self.arrows[level].iter().map(ends).collect();
        let mut ranks = longest_paths(shapes.len(), &links);
        let mut items: Vec<_> = shapes.iter().map(|shape| Item::Shape(*shape)).collect();
        let mut steps = Vec::with_capacity(links.len());
        for (arrow, (source, target)) in self.arrows[level].iter().zip(links) {
            let passed = ranks[source] + 1..ranks[target];
            let mut last = source;
            if passed.len() <= self.spare_lanes {
                self.spare_lanes -= passed.len();
                for rank in passed {
                    steps.push((last, items.len()));
                    last = items.len();
                    items.push(Item::Lane(*arrow));
                    ranks.push(rank);
                }
            }
            steps.push((last, target));
        }
        let columns = order_columns(&ranks, &steps).into_iter();
        columns.map(|column| column.into_iter().map(|position| items[position]).collect()).collect()
    }
}

/// Groups positions into columns by rank. A column is ordered by the rows of its predecessors.
fn order_columns(ranks: &[usize], links: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut sources = vec![Vec::new(); ranks.len()];
    for (source, target) in links {
        sources[*target].push(*source);
    }
    let mut columns = vec![Vec::new(); ranks.iter().max().map_or(0, |last| last + 1)];
    for (position, rank) in ranks.iter().enumerate() {
        columns[*rank].push(position);
    }
    let mut rows = vec![0.0; ranks.len()];
    for column in &mut columns {
        let mean = |position: &usize| {
            let sources = &sources[*position];
            let sum: f64 = sources.iter().map(|source| rows[*source]).sum();
            sum / (sources.len().max(1) as f64)
        };
        column.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
        // Columns are centered, so rows count from the middle.
        let middle = (column.len() - 1) as f64 / 2.0;
        for (row, position) in column.iter().enumerate() {
            rows[*position] = row as f64 - middle;
        }
    }
    columns
}

/// Returns the length of the longest path to every position. In a cycle only the path up to the cycle counts.
fn longest_paths(count: usize, links: &[(usize, usize)]) -> Vec<usize> {
    let (mut targets, mut pending) = (vec![Vec::new(); count], vec![0_usize; count]);
    for (source, target) in links {
        targets[*source].push(*target);
        pending[*target] += 1;
    }
    let mut ranks = vec![0; count];
    let mut ready: VecDeque<_> = (0..count).filter(|position| pending[*position] == 0).collect();
    while let Some(position) = ready.pop_front() {
        for target in &targets[position] {
            ranks[*target] = ranks[*target].max(ranks[position] + 1);
            pending[*target] -= 1;
            if pending[*target] == 0 {
                ready.push_back(*target);
            }
        }
    }
    ranks
}
