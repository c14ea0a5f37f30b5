//! Blocks: the elements that a reduction sums before it looks at the sums.
//!
//! In a block each *lane* has as many elements. Channels-last, lanes are the channels of a row, or of
//! several rows that are read as one; channels-first, they are channels, each a run of segments.

use crate::lanes::{Element, PAIR};
use crate::piece::{Extent, Rows};
use crate::view::{BLOCK_ELEMENTS, Blocking};
use wide::f64x2;

/// Segments of fewer elements are short, ...
const SHORT: usize = 16;
/// ... and of fewer than these too, unless a block has ...
const LONG: usize = 65;
/// ... fewer of them than these.
const FEW: usize = 4;

/// The place of a block in its piece.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Its first row.
    pub row: usize,
    /// How many rows it has, of `copies` of the array each.
    pub rows: usize,
    /// The array's rows that are read as one.
    pub copies: usize,
    /// Where in its segment it starts, channels-first.
    pub start: usize,
    /// How many elements of each segment it has; channels-last one.
    pub len: usize,
    /// How many lanes it has.
    pub lanes: usize,
    /// Elements from a lane to the next: the length of a segment.
    pub inner: usize,
    /// Whether segments are short: the rows are then summed as columns, of which each lane has `inner`.
    pub is_short: bool,
}

impl Block {
    /// Elements of each lane.
    pub fn count(&self) -> usize {
        self.rows * self.len
    }

    /// Its groups of lanes, the last of which may have fewer than two.
    pub fn groups(&self) -> usize {
        self.lanes.div_ceil(PAIR)
    }

    /// Lanes of a group.
    pub fn lanes_of(&self, group: usize) -> usize {
        PAIR.min(self.lanes - group * PAIR)
    }

    /// A mask of the lanes of a group.
    pub(crate) fn active(&self, group: usize) -> f64x2 {
        let lanes = f64x2::new([0.0, 1.0]);
        lanes.simd_lt(f64x2::splat((self.lanes - group * PAIR) as f64))
    }

    /// The first elements alone, at most `most` of them.
    pub fn head(&self, most: usize) -> Self {
        let len = self.len.min(most);
        Self { rows: self.rows.min(most / len), len, ..*self }
    }

    /// Cuts it into parts of at most `most` elements.
    fn parts(&self, most: usize, mut run: impl FnMut(&Self)) {
        let len = self.len.min(most);
        let rows = most / len;
        let mut part = *self;
        for first in (0..self.rows).step_by(rows) {
            part.row = self.row + first * self.copies;
            part.rows = rows.min(self.rows - first);
            for start in (0..self.len).step_by(len) {
                part.start = self.start + start;
                part.len = len.min(self.len - start);
                run(&part);
            }
        }
    }
}

/// Cuts a piece into blocks, in order. What counts as a block is those up to one that is `complete`.
pub fn blocks(
    Extent { rows, channels, inner, .. }: Extent,
    Blocking { copies, rows: most, .. }: Blocking,
    run: &mut dyn FnMut(&Block, bool),
) {
    // The view's segment and not the piece's, which may have but a part of it.
    let segment = BLOCK_ELEMENTS / most;
    for first in (0..rows).step_by(most) {
        let count = most.min(rows - first);
        let left = count % copies;
        // Rows that are less than `copies` are a block of one row, of fewer lanes.
        for (row, rows, copies) in
            [(first, count / copies, copies), (first + count - left, 1, left)]
        {
            for start in (0..if rows * copies > 0 { inner } else { 0 }).step_by(BLOCK_ELEMENTS) {
                let len = BLOCK_ELEMENTS.min(inner - start);
                let lanes = channels * copies;
                let is_short = segment < if rows < FEW { SHORT } else { LONG };
                let block = Block { row, rows, copies, start, len, lanes, inner, is_short };
                run(&block, left == 0 || copies == left);
            }
        }
    }
}

/// Elements that are looked at in f64 at a time.
const PART: usize = 1024;

/// Elements of a group of lanes, and of another array in the same places, as f64.
pub struct Group {
    pub(crate) x: [[f64; PAIR]; PART],
    pub(crate) other: [[f64; PAIR]; PART],
    pub(crate) len: usize,
}

impl Group {
    /// To be filled.
    pub const EMPTY: Self = Self { x: [[0.0; PAIR]; PART], other: [[0.0; PAIR]; PART], len: 0 };

    /// Takes the elements of a block's group of lanes part by part: for what is rare, or summed in f64
    /// anyway. In lanes beyond the last, anything.
    pub(crate) fn each(
        &mut self,
        arrays: [&dyn Elements; 2],
        block: &Block,
        group: usize,
        run: &mut dyn FnMut(&mut Self),
    ) {
        block.parts(PART, |part| {
            let [x, other] = arrays;
            self.len = part.count();
            x.copy_group(part, group, &mut self.x[..self.len]);
            other.copy_group(part, group, &mut self.other[..self.len]);
            run(self);
        });
    }

    /// x and the other, in lanes.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = [f64x2; 2]> {
        self.x[..self.len].iter().zip(&self.other).map(|(&x, &other)| [x, other].map(f64x2::new))
    }
}

/// An array's elements as f64.
pub trait Elements {
    /// All elements of a group of lanes of a block.
    fn copy_group(&self, block: &Block, group: usize, into: &mut [[f64; PAIR]]);
}

impl<E: Element> Elements for Rows<'_, E> {
    fn copy_group(&self, block: &Block, group: usize, into: &mut [[f64; PAIR]]) {
        let rows = Rows::new(self.data, block.row * self.stride, self.stride * block.copies);
        for (row, into) in into.chunks_mut(block.len).enumerate() {
            if block.inner == 1 {
                let lanes = rows.part(row, group * PAIR, block.lanes_of(group));
                for (lane, x) in into[0].iter_mut().zip(lanes) {
                    *lane = x.to_f64();
                }
                continue;
            }
            for lane in 0..block.lanes_of(group) {
                let start = (group * PAIR + lane) * block.inner + block.start;
                for (lanes, x) in into.iter_mut().zip(rows.part(row, start, block.len)) {
                    lanes[lane] = x.to_f64();
                }
            }
        }
    }
}
