//! Where shapes stand: in columns by the longest way that leads to them.

use std::collections::VecDeque;

use super::picture::{Arrow, Picture};

/// How wide a node is.
const WIDTH: i64 = 184;
/// How high a node is.
const HEIGHT: i64 = 48;
/// The height of the head of a shape with others inside.
const HEAD: i64 = 48;
/// What is free inside of a border.
const PADDING: i64 = 16;
/// What is free between columns; arrows and their labels pass here.
const COLUMN_GAP: i64 = 104;
/// What is free between shapes in a column.
const ROW_GAP: i64 = 24;

/// How many lanes there are at most. Where links pass many columns they may be far more than links.
const MAX_LANES: usize = 20_000;

/// A rectangle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    /// Its left side.
    pub(super) x: i64,
    /// Its upper side.
    pub(super) y: i64,
    /// How wide it is.
    pub(super) width: i64,
    /// How high it is.
    pub(super) height: i64,
}

/// Where a link passes a column in which it doesn't end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    /// The left side of the column.
    pub(super) x: i64,
    /// How high the link passes.
    pub(super) y: i64,
    /// How wide the column is.
    pub(super) width: i64,
}

/// Where everything stands.
#[derive(Debug)]
pub(super) struct Layout {
    /// For every shape its place.
    pub(super) areas: Vec<Area>,
    /// For every arrow the lanes along which it goes, in order.
    pub(super) lanes: Vec<Vec<Lane>>,
    /// How wide the whole is.
    pub(super) width: i64,
    /// How high the whole is.
    pub(super) height: i64,
}

impl Layout {
    /// Places all shapes of a picture: sizes from the inside to the outside, then places the other way.
    pub(super) fn of(picture: &Picture) -> Self {
        let mut architect = Architect::new(picture);
        for (index, shape) in picture.shapes.iter().enumerate().rev() {
            if !shape.inside.is_empty() {
                let (width, height) = architect.place(&shape.inside, index);
                architect.areas[index].width = width + 2 * PADDING;
                architect.areas[index].height = height + HEAD + PADDING;
            }
        }
        let (width, height) = architect.place(&picture.top, picture.shapes.len());
        let Architect { mut areas, mut lanes, .. } = architect;
        let origin = |around: Option<usize>, areas: &[Area]| match around {
            Some(around) => (areas[around].x + PADDING, areas[around].y + HEAD),
            None => (PADDING, PADDING),
        };
        for (index, shape) in picture.shapes.iter().enumerate() {
            let (x, y) = origin(shape.around, &areas);
            areas[index].x += x;
            areas[index].y += y;
        }
        for (arrow, lanes) in picture.arrows.iter().zip(&mut lanes) {
            let (x, y) = origin(picture.shapes[arrow.source].around, &areas);
            for lane in lanes {
                lane.x += x;
                lane.y += y;
            }
        }
        Self { areas, lanes, width: width + 2 * PADDING, height: height + 2 * PADDING }
    }
}

/// What stands in a column.
#[derive(Clone, Copy, Debug)]
enum Item {
    /// The shape with this index.
    Shape(usize),
    /// A lane of the arrow with this index.
    Lane(usize),
}

/// Places level after level, each from 0.
struct Architect<'a> {
    picture: &'a Picture,
    /// For every shape the arrows right inside of it, and at the end those at the top.
    arrows: Vec<Vec<usize>>,
    areas: Vec<Area>,
    lanes: Vec<Vec<Lane>>,
    /// For every shape its place among those of its level.
    places: Vec<usize>,
    /// How many lanes there may still be.
    spare_lanes: usize,
}

impl<'a> Architect<'a> {
    fn new(picture: &'a Picture) -> Self {
        let count = picture.shapes.len();
        let mut arrows = vec![Vec::new(); count + 1];
        for (index, arrow) in picture.arrows.iter().enumerate() {
            arrows[picture.shapes[arrow.source].around.unwrap_or(count)].push(index);
        }
        let areas = vec![Area { x: 0, y: 0, width: WIDTH, height: HEIGHT }; count];
        let lanes = vec![Vec::new(); picture.arrows.len()];
        Self { picture, arrows, areas, lanes, places: vec![0; count], spare_lanes: MAX_LANES }
    }

    /// Places the shapes of a level, and gives the size of them all.
    fn place(&mut self, shapes: &[usize], level: usize) -> (i64, i64) {
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

    /// The columns of a level. A link that passes columns has a lane in each, as long as there are any left.
    fn columns(&mut self, shapes: &[usize], level: usize) -> Vec<Vec<Item>> {
        for (place, shape) in shapes.iter().enumerate() {
            self.places[*shape] = place;
        }
        let ends = |arrow: &usize| {
            let Arrow { source, target, .. } = self.picture.arrows[*arrow];
            (self.places[source], self.places[target])
        };
        let links: Vec<_> = self.arrows[level].iter().map(ends).collect();
        let mut ranks = ranks(shapes.len(), &links);
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
        let columns = in_columns(&ranks, &steps).into_iter();
        columns.map(|column| column.into_iter().map(|place| items[place]).collect()).collect()
    }
}

/// The places of all `ranks` in columns, each ordered by where the links into it come from.
fn in_columns(ranks: &[usize], links: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut sources = vec![Vec::new(); ranks.len()];
    for (source, target) in links {
        sources[*target].push(*source);
    }
    let mut columns = vec![Vec::new(); ranks.iter().max().map_or(0, |last| last + 1)];
    for (place, rank) in ranks.iter().enumerate() {
        columns[*rank].push(place);
    }
    let mut rows = vec![0.0; ranks.len()];
    for column in &mut columns {
        let mean = |place: &usize| {
            let sources = &sources[*place];
            let sum: f64 = sources.iter().map(|source| rows[*source]).sum();
            sum / (sources.len().max(1) as f64)
        };
        column.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
        // Columns are centred, so rows count from the middle.
        let middle = (column.len() - 1) as f64 / 2.0;
        for (row, place) in column.iter().enumerate() {
            rows[*place] = row as f64 - middle;
        }
    }
    columns
}

/// For every place the length of the longest way that leads there. In a circle a way ends where it began.
fn ranks(count: usize, links: &[(usize, usize)]) -> Vec<usize> {
    let (mut targets, mut waits) = (vec![Vec::new(); count], vec![0_usize; count]);
    for (source, target) in links {
        targets[*source].push(*target);
        waits[*target] += 1;
    }
    let mut ranks = vec![0; count];
    let mut ready: VecDeque<_> = (0..count).filter(|place| waits[*place] == 0).collect();
    while let Some(place) = ready.pop_front() {
        for target in &targets[place] {
            ranks[*target] = ranks[*target].max(ranks[place] + 1);
            waits[*target] -= 1;
            if waits[*target] == 0 {
                ready.push_back(*target);
            }
        }
    }
    ranks
}
