//! Element maps: a formula, with a few coefficients per channel, over all elements of a piece.
//!
//! ```text
//! for each row:
//!     channels-last:   for each four channels:                               out = formula(x, …)
//!     channels-first:  for each channel, for each four of its elements:      out = formula(x, …)
//! ```
//!
//! The memory pattern decides nothing but where the coefficients of four lanes come from: four
//! channels, or one. The last four elements of a segment may overlap those before them; they are computed
//! before anything is written, since the result may lie where an operand does.
//!
//! Channels that coefficients do not serve go element by element in f64 ([`Formula::exact`]).

use crate::affine::Affine;
use crate::lanes::{Element, Format, LANES, Lanes, Real};
use crate::piece::{Extent, Rows};
use crate::slope::Slope;
use crate::table::{Columns, Table, Tabled};
use crate::view::COLUMN;
use core::cell::Cell;

/// What a formula is given for four elements of the result: the coefficients of their channels, and what
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
    /// The weights; 1 where there are none.
    pub weight: V::Double,
}

/// How the result comes from what lies in its place.
pub trait Formula: Exact + Copy {
    /// Whether it takes weights.
    const WEIGHTED: bool = false;

    /// In the element type.
    fn folded<V: Real>(&self, given: Given<V>) -> V;
}

/// The formula of an element, for a channel that its coefficients do not serve.
pub trait Exact {
    /// In f64, rounded to the format.
    fn exact(&self, channel: usize, format: &Format, place: Place) -> f64;
}

/// What lies in the place of one element: see [`Given`].
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "as in Given")]
pub struct Place {
    pub x: f64,
    pub other: f64,
    pub out: f64,
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

/// A formula, and the columns of its coefficients.
struct Map<'a, F, E> {
    formula: &'a F,
    affine: &'a Columns<E>,
    slope: &'a Columns<E>,
}

/// A map as the rows see it.
trait Segments<E> {
    /// Maps groups of elements that have a lane each, from the first on.
    fn by_lanes(&self, run: Run<'_, E>, first: usize);
    /// Maps segments of channels, four elements at least, from the first on.
    fn by_channels(&self, run: Run<'_, E>, first: usize, inner: usize);
}

/// Elements that follow each other, in each array.
#[derive(Clone, Copy)]
struct Run<'a, E> {
    x: &'a [Cell<E>],
    other: &'a [Cell<E>],
    out: &'a [Cell<E>],
    weights: &'a [Cell<f64>],
}

/// Applies a formula to the rows of a piece. The table, of the two, tells which channels they serve.
#[inline(always)]
pub fn apply<E: Tabled>(
    formula: &impl Formula,
    table: &Table,
    [affine, slope]: [&Columns<E>; 2],
    arrays: Arrays<'_, E>,
    extent: Extent,
) {
    rows(&Map { formula, affine, slope }, formula, table, &arrays, extent);
}

#[inline(never)]
fn rows<E: Element>(
    map: &dyn Segments<E>,
    exact: &dyn Exact,
    table: &Table,
    arrays: &Arrays<'_, E>,
    extent: Extent,
) {
    let Extent { rows, channels, inner, .. } = extent;
    let by_lanes = inner == table.inner();
    let width = channels * inner;
    let copies = if by_lanes && arrays.are_dense(width) { table.copies() } else { 1 };
    let mut left = rows;
    while left > 0 {
        let together = copies.min(left);
        let row = arrays.run(rows - left, width * together);
        left -= together;
        if !table.any_exact() {
            segments(map, row, 0, inner, by_lanes);
            continue;
        }
        let mut done = 0;
        for channel in 0..channels {
            if table.is_exact(channel) {
                segments(map, row.part(done * inner, channel * inner), done, inner, by_lanes);
                row.part(channel * inner, (channel + 1) * inner).exact(exact, channel);
                done = channel + 1;
            }
        }
        segments(map, row.part(done * inner, row.out.len()), done, inner, by_lanes);
    }
}

/// Maps channels that coefficients serve, from the first on.
#[inline(never)]
fn segments<E: Element>(
    map: &dyn Segments<E>,
    run: Run<'_, E>,
    first: usize,
    inner: usize,
    by_lanes: bool,
) {
    let len = run.out.len();
    if by_lanes {
        let whole = len - len % LANES;
        map.by_lanes(run.part(0, whole), first * inner);
        if whole < len {
            copied(run.part(whole, len), |copy| map.by_lanes(copy, first * inner + whole));
        }
    } else if inner >= LANES {
        map.by_channels(run, first, inner);
    } else {
        for index in 0..len / inner {
            let part = run.part(index * inner, (index + 1) * inner);
            copied(part, |copy| map.by_channels(copy, first + index, LANES));
        }
    }
}

/// Maps elements that are too few for lanes, in copies.
fn copied<E: Element>(run: Run<'_, E>, map: impl FnOnce(Run<'_, E>)) {
    let [x, other, out] = [run.x, run.other, run.out].map(|cells| fill(cells, E::ZERO));
    let weights = fill(run.weights, 1.0);
    map(Run { x: &x, other: &other, out: &out, weights: &weights });
    for (cell, copy) in run.out.iter().zip(&out) {
        cell.set(copy.get());
    }
}

#[inline(never)]
fn fill<T: Copy>(cells: &[Cell<T>], filler: T) -> [Cell<T>; LANES] {
    let mut four = [filler; LANES];
    for (copy, cell) in four.iter_mut().zip(cells) {
        *copy = cell.get();
    }
    four.map(Cell::new)
}

impl<E: Element, F: Formula> Segments<E> for Map<'_, F, E> {
    fn by_lanes(&self, run: Run<'_, E>, first: usize) {
        let len = run.out.len();
        let Some(run) = run.get::<F>(0, len) else { return };
        if COLUMN.checked_sub(len).is_none_or(|room| first > room) {
            return;
        }
        let formula = *self.formula;
        let (affine, slope) = (part(self.affine, first, len), part(self.slope, first, len));
        run.map(&formula, |index| {
            (Affine::new(group(affine, index)), Slope::new(group(slope, index)))
        });
    }

    fn by_channels(&self, run: Run<'_, E>, first: usize, inner: usize) {
        let (formula, mut start) = (*self.formula, 0);
        let [center, scale, shift] = self.affine;
        let [distance, factor, constant] = self.slope;
        for channel in first..center.len() {
            let Some(run) = run.get::<F>(start, inner) else { return };
            start += inner;
            let affine = [center, scale, shift].map(|column| E::Lanes::splat(column[channel]));
            let slope = [distance, factor, constant].map(|column| E::Lanes::splat(column[channel]));
            let given = (Affine::new(affine), Slope::new(slope));
            let (Some(x), Some(other), Some(out)) =
                (run.x.last_chunk(), run.other.last_chunk(), run.out.last_chunk())
            else {
                return;
            };
            let weight = run.weights.last_chunk().map_or(Real::of(1.0), Lanes::load);
            let last = four(&formula, given, [x, other, out], weight);
            run.map(&formula, |_| given);
            last.store(out);
        }
    }
}

/// A part of each column.
#[inline(always)]
fn part<E>([a, b, c]: &Columns<E>, first: usize, len: usize) -> [&[E]; 3] {
    [&a[first..][..len], &b[first..][..len], &c[first..][..len]]
}

/// A group of lanes of each part.
#[inline(always)]
fn group<E: Element>([a, b, c]: [&[E]; 3], group: usize) -> [E::Lanes; 3] {
    let lanes = |part: &[E]| E::Lanes::new(part.as_chunks().0[group]);
    [lanes(a), lanes(b), lanes(c)]
}

impl<'a, E: Element> Arrays<'a, E> {
    /// Whether the rows of each follow each other without gaps.
    fn are_dense(&self, len: usize) -> bool {
        let weights = self.weights.map_or(len, |weights| weights.stride);
        [self.x.stride, self.other.stride, self.out.stride, weights] == [len; 4]
    }

    fn run(&self, row: usize, len: usize) -> Run<'a, E> {
        Run {
            x: self.x.part(row, 0, len),
            other: self.other.part(row, 0, len),
            out: self.out.part(row, 0, len),
            weights: self.weights.map_or(&[], |weights| weights.part(row, 0, len)),
        }
    }
}

impl<'a, E: Element> Run<'a, E> {
    /// Some of the elements, if there are as many.
    #[inline(always)]
    fn get<F: Formula>(&self, start: usize, len: usize) -> Option<Self> {
        Some(Self {
            x: self.x.get(start..)?.get(..len)?,
            other: self.other.get(start..)?.get(..len)?,
            out: self.out.get(start..)?.get(..len)?,
            weights: if F::WEIGHTED { self.weights.get(start..)?.get(..len)? } else { &[] },
        })
    }

    fn part(&self, start: usize, end: usize) -> Self {
        let weights = self.weights.get(start..end).unwrap_or_default();
        Self {
            x: &self.x[start..end],
            other: &self.other[start..end],
            out: &self.out[start..end],
            weights,
        }
    }

    /// Maps whole groups of four.
    #[inline(always)]
    fn map<F: Formula>(
        &self,
        formula: &F,
        given: impl Fn(usize) -> (Affine<E::Lanes>, Slope<E::Lanes>),
    ) {
        let [x, other, out] = [self.x, self.other, self.out].map(|cells| cells.as_chunks().0);
        let weights = self.weights.as_chunks().0;
        for group in 0..out.len() {
            let cells = [&x[group], &other[group], &out[group]];
            let weight = if F::WEIGHTED { Lanes::load(&weights[group]) } else { Real::of(1.0) };
            four(formula, given(group), cells, weight).store(&out[group]);
        }
    }

    /// Maps a segment of a channel in f64.
    fn exact(&self, exact: &dyn Exact, channel: usize) {
        for (index, out) in self.out.iter().enumerate() {
            let [x, other, now] =
                [self.x, self.other, self.out].map(|cells| cells[index].get().to_f64());
            let weight = self.weights.get(index).map_or(1.0, Cell::get);
            let place = Place { x, other, out: now, weight };
            out.set(E::from_f64(exact.exact(channel, &E::FORMAT, place)));
        }
    }
}

#[inline(always)]
fn four<V: Lanes, F: Formula>(
    formula: &F,
    (affine, slope): (Affine<V>, Slope<V>),
    [x, other, out]: [&[Cell<V::Element>; LANES]; 3],
    weight: V::Double,
) -> V {
    let [x, other, out] = [x, other, out].map(V::load);
    formula.folded(Given { affine, slope, x, other, out, weight })
}
