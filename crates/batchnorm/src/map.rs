//! Element maps: a formula, with a few coefficients per channel, over all elements of a piece.
//!
//! ```text
//! for each row:
//!     channels-last:   for each vector of channels:                          out = formula(x, …)
//!     channels-first:  for each channel, for each vector of its elements:    out = formula(x, …)
//! ```
//!
//! The memory pattern decides nothing but where the coefficients of the lanes come from: as many
//! channels, or one.
//!
//! Channels that coefficients do not serve go element by element in f64, and so do elements with weights
//! ([`Exact`]).

use crate::affine::Affine;
use crate::lanes::{Element, Format, LANES, Real};
use crate::piece::{Extent, Rows, part};
use crate::slope::Slope;
use crate::table::{Table, Tabled, Triple};
use crate::vector::Vector;
use core::cell::Cell;

/// Elements of a copy of those that are too few for lanes: two vectors of f32.
const FEW: usize = 8;

/// What a formula is given for the elements of a vector: the coefficients of their channels, and what
/// lies in their places. Formulas differ in what of it they use.
#[derive(Clone, Copy)]
pub struct Given<V: Real> {
    /// Those of y.
    pub affine: Affine<V>,
    /// Those of dx.
    pub slope: Slope<V>,
    /// Elements of the first operand.
    pub x: V,
    /// Of the second.
    pub other: V,
    /// What is to be replaced.
    pub out: V,
}

/// How the result comes from what lies in its place.
pub trait Formula: Copy {
    /// Whether segments are mapped two vectors at a time: that is faster, and longer.
    const IN_PAIRS: bool = false;

    /// In the element type.
    fn folded<V: Real>(&self, given: Given<V>) -> V;
}

/// The formula of an element, for a channel that its coefficients do not serve, and for elements with weights.
pub trait Exact {
    /// In f64, rounded to the format. Of the lanes of the table, not of its channels.
    fn exact(&self, lane: usize, format: &Format, place: Place) -> f64;
}

/// What lies in the place of one element: see [`Given`].
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "as in Given")]
pub struct Place {
    pub x: f64,
    pub other: f64,
    pub out: f64,
    /// 1 where there are none.
    pub weight: f64,
}

/// A choice as a number, to which zero compares as at most, or does not: 0 or NaN. So it costs a formula
/// a comparison instead of an instance.
pub(crate) fn flag(is_set: bool) -> f64 {
    if is_set { 0.0 } else { f64::NAN }
}

/// The arrays of a map, any of which may be the same. A second operand that is not used is any of them.
#[derive(Clone, Copy)]
pub struct Arrays<'a, E> {
    /// The first operand.
    pub x: Rows<'a, Cell<E>>,
    /// The second.
    pub other: Rows<'a, Cell<E>>,
    /// The result.
    pub out: Rows<'a, Cell<E>>,
    /// The weight of each element.
    pub weights: Option<Rows<'a, Cell<f64>>>,
}

/// Arrays of either type.
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "f32 and f64")]
pub enum Operands<'a> {
    Single(Arrays<'a, f32>),
    Double(Arrays<'a, f64>),
}

impl Operands<'_> {
    /// Whether elements have weights.
    pub(crate) fn are_weighted(&self) -> bool {
        match self {
            Self::Single(arrays) => arrays.weights.is_some(),
            Self::Double(arrays) => arrays.weights.is_some(),
        }
    }

    /// Without weights.
    pub(crate) fn unweighted(&self) -> Self {
        match *self {
            Self::Single(arrays) => Self::Single(Arrays { weights: None, ..arrays }),
            Self::Double(arrays) => Self::Double(Arrays { weights: None, ..arrays }),
        }
    }

    /// With the second operand as the first too.
    pub(crate) fn other_alone(&self) -> Self {
        match *self {
            Self::Single(arrays) => Self::Single(Arrays { x: arrays.other, ..arrays }),
            Self::Double(arrays) => Self::Double(Arrays { x: arrays.other, ..arrays }),
        }
    }
}

/// Elements that follow each other, as many of each array; no weights where there are none.
struct Run<'a, E> {
    x: &'a [Cell<E>],
    other: &'a [Cell<E>],
    out: &'a [Cell<E>],
    weights: &'a [Cell<f64>],
}

/// A formula, and the coefficients of all lanes.
struct Map<'a, F, V: Vector> {
    formula: F,
    affine: &'a [Triple<V>],
    slope: &'a [Triple<V>],
}

/// A map as its arrays see it.
trait Loops<E> {
    /// Maps whole vectors that have a lane for each element, from the first on.
    fn lanes(&self, run: &Run<'_, E>, first: usize);
    /// Maps segments of channels, two vectors long at least, from the first on.
    fn channels(&self, run: &Run<'_, E>, first: usize, inner: usize);
}

/// A map and its arrays.
struct Typed<'a, E> {
    loops: &'a dyn Loops<E>,
    exact: &'a dyn Exact,
    table: &'a Table,
    arrays: &'a Arrays<'a, E>,
}

/// A map and its arrays, of either type. Elements of a row are counted from its first.
trait Segments {
    /// Whether the rows of each array follow each other without gaps.
    fn are_dense(&self, width: usize) -> bool;
    /// Maps groups of lanes.
    fn lanes(&self, row: usize, start: usize, end: usize);
    /// Maps a group of lanes that is not whole, or has channels that coefficients do not serve.
    fn few(&self, row: usize, start: usize, end: usize);
    /// Maps segments of channels that coefficients serve.
    fn channels(&self, row: usize, first: usize, end: usize, inner: usize);
    /// Maps segments of any channels, one element after the other.
    fn exact(&self, row: usize, first: usize, end: usize, inner: usize);
}

/// Applies a formula to the rows of a piece, with the coefficients of y and of dx; the latter's table tells
/// which channels they serve.
#[inline(never)]
pub fn apply<F: Formula>(
    formula: F,
    exact: &dyn Exact,
    [affine, table]: [&Table; 2],
    operands: &Operands<'_>,
    extent: Extent,
) {
    match operands {
        Operands::Single(arrays) => typed(formula, exact, [affine, table], arrays, extent),
        Operands::Double(arrays) => typed(formula, exact, [affine, table], arrays, extent),
    }
}

#[inline(always)]
fn typed<F: Formula, E: Tabled>(
    formula: F,
    exact: &dyn Exact,
    [affine, table]: [&Table; 2],
    arrays: &Arrays<'_, E>,
    extent: Extent,
) {
    let (affine, slope) = (E::triples(affine), E::triples(table));
    let loops: &Map<'_, F, E::Vector> = &Map { formula, affine, slope };
    rows(&Typed { loops, exact, table, arrays }, table, extent, arrays.weights.is_some());
}

#[inline(never)]
fn rows(map: &dyn Segments, table: &Table, extent: Extent, one_by_one: bool) {
    let Extent { rows, channels, inner, .. } = extent;
    let by_lanes = inner == table.inner();
    let width = channels * inner;
    if one_by_one {
        let (lanes, inner) = if by_lanes { (width, 1) } else { (channels, inner) };
        return (0..rows).for_each(|row| map.exact(row, 0, lanes, inner));
    }
    let copies = if by_lanes && map.are_dense(width) { table.copies() } else { 1 };
    for row in (0..rows).step_by(copies) {
        let (end, mut done) = (width * copies.min(rows - row), 0);
        if by_lanes {
            let first = if table.any_exact() { 0 } else { end - end % LANES };
            for start in (first..end).step_by(LANES) {
                let stop = end.min(start + LANES);
                if stop < start + LANES || (start..stop).any(|lane| table.is_exact(lane)) {
                    map.lanes(row, done, start);
                    map.few(row, start, stop);
                    done = stop;
                }
            }
            map.lanes(row, done, end);
        } else {
            for channel in 0..if table.any_exact() { channels } else { 0 } {
                if table.is_exact(channel) {
                    map.channels(row, done, channel, inner);
                    map.exact(row, channel, channel + 1, inner);
                    done = channel + 1;
                }
            }
            map.channels(row, done, channels, inner);
        }
    }
}

impl<E: Element> Segments for Typed<'_, E> {
    fn are_dense(&self, width: usize) -> bool {
        let Arrays { x, other, out, .. } = self.arrays;
        [x.stride, other.stride, out.stride] == [width; 3]
    }

    fn lanes(&self, row: usize, start: usize, end: usize) {
        self.loops.lanes(&self.run(row, start, end), start);
    }

    fn few(&self, row: usize, start: usize, end: usize) {
        self.copied(row, start, end, true, &|copy| self.loops.lanes(copy, start));
    }

    fn channels(&self, row: usize, first: usize, end: usize, inner: usize) {
        if inner >= FEW {
            let run = self.run(row, first * inner, end * inner);
            return self.loops.channels(&run, first, inner);
        }
        for channel in first..end {
            let start = channel * inner;
            let end = start + inner;
            self.copied(row, start, end, false, &|copy| self.loops.channels(copy, channel, FEW));
        }
    }

    fn exact(&self, row: usize, first: usize, end: usize, inner: usize) {
        let run = self.run(row, first * inner, end * inner);
        for lane in first..end {
            for index in 0..inner {
                self.exact_one(&run, (lane - first) * inner + index, lane);
            }
        }
    }
}

impl<E: Element> Typed<'_, E> {
    #[inline(never)]
    fn run(&self, row: usize, start: usize, end: usize) -> Run<'_, E> {
        let Arrays { x, other, out, weights } = self.arrays;
        let len = end - start;
        let [x, other, out] = [x, other, out].map(|rows| rows.part(row, start, len));
        let weights = weights.as_ref().map_or(&[][..], |weights| weights.part(row, start, len));
        Run { x, other, out, weights }
    }

    /// Maps elements that are too few for lanes. Those of channels that coefficients do not serve may be
    /// among them, if they have a lane each.
    #[inline(never)]
    fn copied(
        &self,
        row: usize,
        start: usize,
        end: usize,
        by_lanes: bool,
        map: &dyn Fn(&Run<'_, E>),
    ) {
        let run = self.run(row, start, end);
        let [x, other, copy] = [padded(run.x), padded(run.other), padded(run.out)];
        map(&Run { x: &x, other: &other, out: &copy, weights: &[] });
        for (index, (cell, copy)) in run.out.iter().zip(&copy).enumerate() {
            if by_lanes && self.table.is_exact(start + index) {
                self.exact_one(&run, index, start + index);
            } else {
                cell.set(copy.get());
            }
        }
    }

    #[inline(never)]
    fn exact_one(&self, run: &Run<'_, E>, index: usize, lane: usize) {
        let [x, other, out] = [run.x, run.other, run.out].map(|cells| &part(cells, index, 1)[0]);
        let weight = run.weights.get(index).map_or(1.0, Cell::get);
        let [x, other, before] = [x, other, out].map(|cell| cell.get().to_f64());
        let place = Place { x, other, out: before, weight };
        out.set(E::from_f64(self.exact.exact(lane, &E::FORMAT, place)));
    }
}

#[inline(never)]
fn padded<E: Element>(cells: &[Cell<E>]) -> [Cell<E>; FEW] {
    let few = [const { Cell::new(E::ZERO) }; FEW];
    few.iter().zip(cells).for_each(|(copy, cell)| copy.set(cell.get()));
    few
}

impl<F: Formula, V: Vector> Loops<V::Element> for Map<'_, F, V> {
    fn lanes(&self, run: &Run<'_, V::Element>, first: usize) {
        let out = V::groups(run.out);
        let [x, other] = [run.x, run.other].map(|cells| part(V::groups(cells), 0, out.len()));
        let [affine, slope] =
            [self.affine, self.slope].map(|lanes| part(lanes, first / V::WIDTH, out.len()));
        for group in 0..out.len() {
            let given = Given {
                affine: Affine::new(affine[group].each_ref().map(V::new)),
                slope: Slope::new(slope[group].each_ref().map(V::new)),
                x: V::load(&x[group]),
                other: V::load(&other[group]),
                out: V::load(&out[group]),
            };
            self.formula.folded(given).store(&out[group]);
        }
    }

    /// The last step of a segment may overlap the one before it: so each is loaded before the one before it
    /// is stored, since the result may lie where an operand does.
    fn channels(&self, run: &Run<'_, V::Element>, first: usize, inner: usize) {
        let formula = self.formula;
        let step = if F::IN_PAIRS { 2 * V::WIDTH } else { V::WIDTH };
        let Some(last) = inner.checked_sub(step) else { return };
        for index in 0..run.out.len() / inner {
            let (start, channel) = (index * inner, first + index);
            let [x, other, out] =
                [run.x, run.other, run.out].map(|cells| part(cells, start, inner));
            let [affine, slope] = [self.affine, self.slope].map(|lanes| {
                lanes[channel / V::WIDTH].each_ref().map(|lanes| V::splat(lanes, channel))
            });
            let (affine, slope) = (Affine::new(affine), Slope::new(slope));
            let load = |at| {
                let [x, other, out] = [x, other, out].map(|cells| V::group(cells, at));
                let (x, other) = (V::load(x), V::load(other));
                (out, Given { affine, slope, x, other, out: V::load(out) })
            };
            let load = |at| (load(at), F::IN_PAIRS.then(|| load(at + V::WIDTH)));
            let (mut at, mut next) = (0, load(0));
            loop {
                let (now, is_last) = (next, at == last);
                let map = |(out, given)| V::store(formula.folded(given), out);
                at = last.min(at + step);
                next = load(at);
                map(now.0);
                now.1.map(map);
                if is_last {
                    break;
                }
            }
        }
    }
}
