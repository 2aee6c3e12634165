//! Where shapes stand: in columns by the longest way that leads to them.

use std::collections::VecDeque;

use super::picture::Picture;

/// How wide a node is.
const WIDTH: i64 = 184;
/// How high a node is.
const HEIGHT: i64 = 48;
/// The height of the head of a shape with others inside.
const HEAD: i64 = 44;
/// What is free inside of a border.
const PADDING: i64 = 16;
/// What is free between columns; arrows and their labels pass here.
const COLUMN_GAP: i64 = 88;
/// What is free between shapes in a column.
const ROW_GAP: i64 = 24;

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

/// Where everything stands.
#[derive(Debug)]
pub(super) struct Layout {
    /// For every shape its place.
    pub(super) areas: Vec<Area>,
    /// How wide the whole is.
    pub(super) width: i64,
    /// How high the whole is.
    pub(super) height: i64,
}

impl Layout {
    /// Places all shapes of a picture: sizes from the inside to the outside, then places the other way.
    pub(super) fn of(picture: &Picture) -> Self {
        let count = picture.shapes.len();
        let mut links = vec![Vec::new(); count + 1];
        for arrow in &picture.arrows {
            let around = picture.shapes[arrow.source].around;
            links[around.unwrap_or(count)].push((arrow.source, arrow.target));
        }
        let mut areas = vec![Area { x: 0, y: 0, width: WIDTH, height: HEIGHT }; count];
        let mut places = vec![0; count];
        for (index, shape) in picture.shapes.iter().enumerate().rev() {
            if !shape.inside.is_empty() {
                let (width, height) = place(&shape.inside, &links[index], &mut places, &mut areas);
                areas[index].width = width + 2 * PADDING;
                areas[index].height = height + HEAD + PADDING;
            }
        }
        let (width, height) = place(&picture.top, &links[count], &mut places, &mut areas);
        for (index, shape) in picture.shapes.iter().enumerate() {
            let (x, y) = match shape.around {
                Some(around) => (areas[around].x + PADDING, areas[around].y + HEAD),
                None => (PADDING, PADDING),
            };
            areas[index].x += x;
            areas[index].y += y;
        }
        Self { areas, width: width + 2 * PADDING, height: height + 2 * PADDING }
    }
}

/// Places `shapes` side by side, from 0, and gives the size of them all.
fn place(shapes: &[usize], links: &[(usize, usize)], places: &mut [usize], areas: &mut [Area]) -> (i64, i64) {
    for (place, shape) in shapes.iter().enumerate() {
        places[*shape] = place;
    }
    let links: Vec<_> = links.iter().map(|(source, target)| (places[*source], places[*target])).collect();
    let columns = columns(shapes.len(), &links);
    let height_of = |column: &Vec<usize>, areas: &[Area]| -> i64 {
        let heights = column.iter().map(|place| areas[shapes[*place]].height + ROW_GAP);
        heights.sum::<i64>() - ROW_GAP
    };
    let height = columns.iter().map(|column| height_of(column, areas)).max().unwrap_or_default();
    let mut x = 0;
    for column in &columns {
        let width = column.iter().map(|place| areas[shapes[*place]].width).max().unwrap_or_default();
        let mut y = (height - height_of(column, areas)) / 2;
        for place in column {
            let area = &mut areas[shapes[*place]];
            area.x = x + (width - area.width) / 2;
            area.y = y;
            y += area.height + ROW_GAP;
        }
        x += width + COLUMN_GAP;
    }
    ((x - COLUMN_GAP).max(0), height)
}

/// The places from 0 to `count` in columns, each ordered by where the links into it come from.
fn columns(count: usize, links: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut sources = vec![Vec::new(); count];
    for (source, target) in links {
        sources[*target].push(*source);
    }
    let ranks = ranks(count, links);
    let mut columns = vec![Vec::new(); ranks.iter().max().map_or(0, |last| last + 1)];
    for (place, rank) in ranks.iter().enumerate() {
        columns[*rank].push(place);
    }
    let mut rows = vec![0.0; count];
    for column in &mut columns {
        let mean = |place: &usize| {
            let sources = &sources[*place];
            let sum: f64 = sources.iter().map(|source| rows[*source]).sum();
            sum / (sources.len().max(1) as f64)
        };
        column.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
        // From -1 to 1, as columns are centred.
        let middle = (column.len() - 1) as f64 / 2.0;
        for (row, place) in column.iter().enumerate() {
            rows[*place] = (row as f64 - middle) / middle.max(1.0);
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
