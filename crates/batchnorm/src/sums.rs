//! The two sums of the lanes of a block, in the element type: Σg and Σg·d.
//!
//! ```text
//! of x alone:      d = x - c      g = d                                       (moments)
//! of x and dy:     d = x - c      g = dy, or 0 where d·a + b <= 0             (gradient)
//! ```
//!
//! Rows are added four at a time, as trees, and in parts, so that no lane adds more than eight times in a
//! row: longer runs of additions that all round the same way leave the contract. The sums of a part are
//! added in f64, which keeps what that rounds away where the elements are f64 too.

use crate::block::{Block, Elements};
use crate::lanes::{Element, Format, LANES, Lanes, PAIR, Real};
use crate::piece::{Rows, outside};
use crate::state::Sum;
use crate::view::TILE;
use core::ops::Range;
use wide::f64x2;

mod channels_first;
mod columns;

const MOMENTS: u8 = Terms::Moments as u8;
const GRADIENT: u8 = Terms::Gradient as u8;
const MASKED_GRADIENT: u8 = Terms::MaskedGradient as u8;

/// Vectors of lanes in a tile.
const VECTORS: usize = TILE / LANES;
/// Vectors of columns that are summed at a time, where segments are short: so many stay in cache.
const SPREAD: usize = 256;
/// Rows of a part, at most.
const PART_ROWS: usize = 32;

/// What is summed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// Of x alone.
    Moments,
    /// Of x and dy.
    Gradient,
    /// Of x and dy, where a ReLU followed.
    MaskedGradient,
}

impl Terms {
    /// Rows of a part: the sums of the gradient are granted less.
    fn part(self) -> usize {
        if self == Self::Moments { PART_ROWS } else { PART_ROWS / 2 }
    }

    /// How many coefficients they take.
    fn coefficients(self) -> usize {
        if self == Self::MaskedGradient { 3 } else { 1 }
    }
}

/// Σg and Σg·d.
#[derive(Clone, Copy, Debug)]
pub struct Sums<R> {
    pub(crate) sum: R,
    pub(crate) product: R,
}

/// Of all parts of a block.
pub type Totals = Sums<Sum<f64x2>>;

impl Totals {
    /// Of no elements.
    pub const EMPTY: Self = Self { sum: Sum::ZERO, product: Sum::ZERO };

    /// Adds sums to those of one lane.
    #[inline(never)]
    fn join_lane(&mut self, lane: usize, sum: Sum<f64>, product: Sum<f64>) {
        self.sum.set_lane(lane, self.sum.lane(lane).merge(sum));
        self.product.set_lane(lane, self.product.lane(lane).merge(product));
    }
}

impl<R: Real> Sums<R> {
    const ZERO: Self = Self { sum: R::ZERO, product: R::ZERO };

    /// One more g and d.
    #[inline(always)]
    fn push(&mut self, (g, d): (R, R)) {
        self.sum = self.sum + g;
        self.product = self.product + g * d;
    }
}

impl<R: Real> Sums<Sum<R>> {
    /// The sums, rounded.
    #[inline(always)]
    pub(crate) fn value(&self) -> Sums<R> {
        Sums { sum: self.sum.value(), product: self.product.value() }
    }

    #[inline(always)]
    fn join(self, other: Self, is_narrow: bool) -> Self {
        Self {
            sum: self.sum.join(other.sum, is_narrow),
            product: self.product.join(other.product, is_narrow),
        }
    }
}

/// The coefficients of some lanes: c, then a and b of the ReLU.
#[derive(Clone, Copy)]
pub struct Coefficients<V> {
    pub(crate) center: V,
    pub(crate) gate: [V; 2],
}

/// The same of each of four lanes.
type Columns<E> = [[E; LANES]; 3];

impl<V: Lanes> Coefficients<V> {
    /// From their columns.
    #[inline(always)]
    fn load(columns: &Columns<V::Element>) -> Self {
        let [center, scale, shift] = columns.map(V::new);
        Self { center, gate: [scale, shift] }
    }
}

impl<V: Real> Coefficients<V> {
    pub(crate) const ZERO: Self = Self { center: V::ZERO, gate: [V::ZERO; 2] };

    /// g and d.
    #[inline(always)]
    fn terms<const TERMS: u8>(&self, x: V, dy: V) -> (V, V) {
        let distance = x - self.center;
        let [scale, shift] = self.gate;
        let g = match TERMS {
            MOMENTS => distance,
            GRADIENT => dy,
            _ => (distance * scale + shift).select_le(V::ZERO, V::ZERO, dy),
        };
        (g, distance)
    }
}

/// A number of each column.
type Flat<E> = [[E; LANES]; SPREAD];

/// What a reduction asks of its arrays, whatever their type and layout.
pub trait Source {
    /// Takes the coefficients of groups from the first on, for all sums to come.
    fn set(&mut self, first: usize, coefficients: &[Coefficients<f64x2>]);
    /// Sums the lanes of some groups of a block, and of their neighbours.
    fn sum(&mut self, block: &Block, groups: Range<usize>, into: &mut [Totals]);
    /// The elements one by one.
    fn elements(&self) -> [&dyn Elements; 2];
    /// Their type.
    fn format(&self) -> &'static Format;
    /// Whether a ReLU masks dy.
    fn is_masked(&self) -> bool;
}

/// Memory to sum a part in.
struct Part<E: Element> {
    /// Zeros, but within a part.
    sums: [Sums<E::Lanes>; VECTORS],
    /// The last lanes of rows.
    rest: [[[E; LANES]; PART_ROWS]; 2],
    /// The sums of columns and those of their products, side by side.
    columns: [Flat<E>; 2],
}

/// Memory to sum in.
pub struct Scratch<E: Element> {
    coefficients: [Columns<E>; VECTORS],
    part: Part<E>,
    /// The coefficients of columns, where segments are short.
    spread: [Columns<E>; SPREAD],
}

impl<E: Element> Scratch<E> {
    /// To be used.
    pub const EMPTY: Self = Self {
        coefficients: [[[E::ZERO; LANES]; 3]; VECTORS],
        part: Part {
            sums: [Sums::<E::Lanes>::ZERO; VECTORS],
            rest: [[[E::ZERO; LANES]; PART_ROWS]; 2],
            columns: [[[E::ZERO; LANES]; SPREAD]; 2],
        },
        spread: [[[E::ZERO; LANES]; 3]; SPREAD],
    };
}

/// The rows of one outer.
pub struct Input<'a, E: Element> {
    /// The elements of x and dy; without dy, x again.
    pub rows: [Rows<'a, E>; 2],
    /// What is summed of them.
    pub terms: Terms,
    /// Whether channels lie in lanes.
    pub channels_last: bool,
    /// Where to sum.
    pub scratch: &'a mut Scratch<E>,
}

impl<E: Element> Source for Input<'_, E> {
    fn set(&mut self, first: usize, coefficients: &[Coefficients<f64x2>]) {
        for (group, from) in (first..).zip(coefficients) {
            let [center, scale, shift] =
                [from.center, from.gate[0], from.gate[1]].map(f64x2::to_array);
            for lane in 0..PAIR {
                let (vector, place) = (group * PAIR / LANES, group * PAIR % LANES + lane);
                let columns = &mut self.scratch.coefficients[vector];
                columns[0][place] = E::from_f64(center[lane]);
                columns[1][place] = E::from_f64(scale[lane]);
                columns[2][place] = E::from_f64(shift[lane]);
            }
        }
    }

    fn sum(&mut self, block: &Block, groups: Range<usize>, into: &mut [Totals]) {
        let vectors = groups.start * PAIR / LANES..(groups.end * PAIR).div_ceil(LANES);
        let (into, _) = into.as_chunks_mut();
        into[vectors.clone()].fill([Totals::EMPTY; 2]);
        if self.channels_last || block.is_short {
            self.sum_columns(block, vectors, into);
        } else {
            self.sum_channels_first(block, vectors, into);
        }
    }

    fn elements(&self) -> [&dyn Elements; 2] {
        let [x, dy] = &self.rows;
        [x, dy]
    }

    fn format(&self) -> &'static Format {
        &E::FORMAT
    }

    fn is_masked(&self) -> bool {
        self.terms == Terms::MaskedGradient
    }
}

/// The sum of four lanes.
#[inline(always)]
fn across([a, b]: [Sum<f64x2>; 2], is_narrow: bool) -> Sum<f64> {
    let join = |total: Sum<f64>, lane| total.join(lane, is_narrow);
    [a.lane(1), b.lane(0), b.lane(1)].into_iter().fold(a.lane(0), join)
}

/// Adds sums to those of their parts before, and empties them.
#[inline(never)]
fn flush<E: Element>(sums: &mut [Sums<E::Lanes>], into: &mut [[Totals; 2]]) {
    for (into, sums) in into.iter_mut().zip(sums) {
        let pairs = sums.sum.to_pairs().into_iter().zip(sums.product.to_pairs());
        for (into, (sum, product)) in into.iter_mut().zip(pairs) {
            *into =
                into.join(Sums { sum: Sum::new(sum), product: Sum::new(product) }, E::IS_NARROW);
        }
        *sums = Sums::<E::Lanes>::ZERO;
    }
}

/// Sums a part in the element type.
#[inline(never)]
fn sum_part<E: Element>(
    rows: [Rows<'_, E>; 2],
    terms: Terms,
    range: Range<usize>,
    coefficients: &[Columns<E>],
    sums: &mut [Sums<E::Lanes>],
) {
    let sum = match terms {
        Terms::Moments => sum_terms::<E, MOMENTS>,
        Terms::Gradient => sum_terms::<E, GRADIENT>,
        Terms::MaskedGradient => sum_terms::<E, MASKED_GRADIENT>,
    };
    sum(rows, range, coefficients, sums);
}

#[inline(never)]
fn sum_terms<E: Element, const TERMS: u8>(
    [x, dy]: [Rows<'_, E>; 2],
    Range { start: mut row, end }: Range<usize>,
    coefficients: &[Columns<E>],
    sums: &mut [Sums<E::Lanes>],
) {
    let groups = coefficients.len();
    let Some(sums) = sums.get_mut(..groups) else { outside() };
    // Else the loops over no group would be compiled too.
    if groups == 0 {
        return;
    }
    while row + 4 <= end {
        let (xa, xb) = (x.vectors(row, groups), x.vectors(row + 1, groups));
        let (xc, xd) = (x.vectors(row + 2, groups), x.vectors(row + 3, groups));
        let [ya, yb, yc, yd] = match TERMS {
            MOMENTS => [xa, xb, xc, xd],
            _ => [0, 1, 2, 3].map(|next| dy.vectors(row + next, groups)),
        };
        for group in 0..groups {
            let terms = |x: &[[E; LANES]], dy: &[[E; LANES]]| {
                let [x, dy] = [E::Lanes::new(x[group]), E::Lanes::new(dy[group])];
                Coefficients::<E::Lanes>::load(&coefficients[group]).terms::<TERMS>(x, dy)
            };
            let (a, b, c, d) = (terms(xa, ya), terms(xb, yb), terms(xc, yc), terms(xd, yd));
            let sums = &mut sums[group];
            sums.sum = sums.sum + ((a.0 + b.0) + (c.0 + d.0));
            sums.product = sums.product + ((a.0 * a.1 + b.0 * b.1) + (c.0 * c.1 + d.0 * d.1));
        }
        row += 4;
    }
    while row < end {
        let (x, dy) = (x.vectors(row, groups), dy.vectors(row, groups));
        for group in 0..groups {
            let [x, dy] = [E::Lanes::new(x[group]), E::Lanes::new(dy[group])];
            sums[group]
                .push(Coefficients::<E::Lanes>::load(&coefficients[group]).terms::<TERMS>(x, dy));
        }
        row += 1;
    }
}
