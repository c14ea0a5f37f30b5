//! The coefficients of the channels of a tile, folded two channels at a time in f64 and rounded to
//! elements.

use crate::affine::{self, Channels};
use crate::lanes::{Element, Format, LANES, PAIR};
use crate::map::{Arrays, Operands};
use crate::piece::Extent;
use crate::slope::Totals;
use crate::vector::Vector;
use crate::view::{COLUMN, TILE};
use wide::{f32x4, f64x2};

/// Rows of fewer elements than this are read several at a time.
const SHORT: usize = 512;
/// Segments of fewer elements have a lane for each.
const SHORT_SEGMENT: usize = 16;

/// Three coefficients of each lane of a vector.
pub type Triple<V> = [<V as Vector>::Array; 3];

/// Three coefficients of each channel, as elements of either type.
pub struct Table {
    single: [Triple<f32x4>; COLUMN / 4],
    double: [Triple<f64x2>; COLUMN / 2],
    exact: [bool; COLUMN],
    any_exact: bool,
    inner: usize,
    copies: usize,
}

/// An element type that tables hold.
pub trait Tabled: Element {
    /// A vector of it.
    type Vector: Vector<Element = Self>;
    /// The coefficients of this type.
    fn triples(table: &Table) -> &[Triple<Self::Vector>];
    /// Arrays of this type.
    fn operands(arrays: Arrays<'_, Self>) -> Operands<'_>;
}

impl Tabled for f32 {
    type Vector = f32x4;
    fn triples(table: &Table) -> &[Triple<f32x4>] {
        &table.single
    }
    fn operands(arrays: Arrays<'_, f32>) -> Operands<'_> {
        Operands::Single(arrays)
    }
}

impl Tabled for f64 {
    type Vector = f64x2;
    fn triples(table: &Table) -> &[Triple<f64x2>] {
        &table.double
    }
    fn operands(arrays: Arrays<'_, f64>) -> Operands<'_> {
        Operands::Double(arrays)
    }
}

impl Table {
    const EMPTY: Self = Self {
        single: [[[0.0; 4]; 3]; COLUMN / 4],
        double: [[[0.0; 2]; 3]; COLUMN / 2],
        exact: [false; COLUMN],
        any_exact: false,
        inner: 1,
        copies: 1,
    };

    /// Whether the coefficients of some channel do not serve.
    pub fn any_exact(&self) -> bool {
        self.any_exact
    }

    /// Whether those of this channel do not.
    pub fn is_exact(&self, channel: usize) -> bool {
        self.exact[channel]
    }

    /// How many lanes a channel has, side by side.
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// How many times the channels follow each other.
    pub fn copies(&self) -> usize {
        self.copies
    }

    /// The coefficients of a lane, as they were rounded.
    #[inline(never)]
    pub fn get(&self, format: &Format, lane: usize) -> [f64; 3] {
        if format.single {
            self.single[lane / 4].map(|column| column[lane % 4].into())
        } else {
            self.double[lane / 2].map(|column| column[lane % 2])
        }
    }

    /// Of y's table: the center of a lane, 0 where that is not finite.
    #[inline(never)]
    pub(crate) fn center(&self, format: &Format, lane: usize) -> f64 {
        let [center, ..] = self.get(format, lane);
        if center.is_finite() { center } else { 0.0 }
    }

    /// Of y's table: (x-c)·a + b, rounded as elements are, or, of a channel that coefficients do not serve,
    /// what is `exact`, rounded once.
    #[inline(never)]
    pub(crate) fn y(
        &self,
        format: &Format,
        lane: usize,
        x: f64,
        exact: &dyn Fn(usize) -> f64,
    ) -> f64 {
        let round = |value| format.round_one(value);
        if self.is_exact(lane) {
            return round(exact(lane));
        }
        let [center, scale, shift] = self.get(format, lane);
        round(round(round(x - center) * scale) + shift)
    }

    /// Those of one lane.
    #[inline(never)]
    fn put(&mut self, format: &Format, lane: usize, triple: [f64; 3]) {
        for (index, value) in triple.into_iter().enumerate() {
            if format.single {
                self.single[lane / 4][index][lane % 4] = value as f32;
            } else {
                self.double[lane / 2][index][lane % 2] = value;
            }
        }
    }

    /// No channels yet.
    fn clear(&mut self) {
        self.any_exact = false;
        self.exact.fill(false);
    }

    /// The coefficients of `count` channels, one or two, from the first on; a bit of `exact` for each that
    /// they do not serve.
    #[inline(never)]
    fn set(&mut self, format: &Format, first: usize, count: usize, lanes: &[f64x2; 3], exact: u32) {
        let lanes = lanes.map(f64x2::to_array);
        for lane in 0..count {
            self.put(format, first + lane, lanes.map(|lanes| lanes[lane]));
        }
        for lane in 0..if exact == 0 { 0 } else { count } {
            self.exact[first + lane] = exact >> lane & 1 != 0;
            self.any_exact |= self.exact[first + lane];
        }
    }

    /// Repeats coefficients, if all are `usable`: those of each channel, where segments are short, then those
    /// of a row, until it is long and of whole groups.
    #[inline(never)]
    fn repeat(&mut self, format: &Format, extent: Extent, usable: bool) {
        let Extent { rows, channels, inner, .. } = extent;
        let short = (2..SHORT_SEGMENT).contains(&inner) && channels * inner <= TILE && usable;
        (self.inner, self.copies) = (if short { inner } else { 1 }, 1);
        let mut len = channels * self.inner;
        if short && format.single {
            spread(&mut self.single, channels, inner);
        } else if short {
            spread(&mut self.double, channels, inner);
        }
        while usable && self.inner == inner && len < SHORT && self.copies < rows {
            if len.is_multiple_of(LANES) {
                self.single.copy_within(..len / 4, len / 4);
                self.double.copy_within(..len / 2, len / 2);
            } else {
                for lane in 0..len {
                    self.put(format, len + lane, self.get(format, lane));
                }
            }
            self.copies *= 2;
            len *= 2;
        }
    }
}

/// Those of each channel for as many lanes, side by side.
#[inline(never)]
fn spread<T: Copy, const N: usize>(lanes: &mut [[[T; N]; 3]], channels: usize, inner: usize) {
    // From the last on, so that none is lost that is yet to be read.
    let mut lane = channels * inner;
    for channel in (0..channels).rev() {
        let triple = lanes[channel / N].map(|column| column[channel % N]);
        for _ in 0..inner {
            lane -= 1;
            for (to, value) in lanes[lane / N].iter_mut().zip(triple) {
                to[lane % N] = value;
            }
        }
    }
}

/// The coefficients of both maps.
pub struct Coefficients {
    /// Of y: center, scale and shift.
    pub affine: Table,
    /// Of dx.
    pub slope: Table,
}

impl Coefficients {
    /// To be filled.
    pub const EMPTY: Self = Self { affine: Table::EMPTY, slope: Table::EMPTY };

    /// Folds channels, for y, or for dx if there are totals.
    pub fn fill(
        &mut self,
        format: &Format,
        channels: Channels<'_>,
        totals: Option<Totals<'_>>,
        extent: Extent,
    ) {
        let count = channels.mean.len();
        self.affine.clear();
        self.slope.clear();
        let mut first = 0;
        while first < count {
            let step = PAIR.min(count - first);
            let channel = channels.lanes(first);
            let (affine, exact) = affine::fold_lanes(format, &channel);
            self.affine.set(format, first, step, &affine.columns(), exact);
            if let Some(totals) = totals {
                let (slope, more) =
                    totals.fold(format, first, channels.variance, &channel, affine.center);
                self.slope.set(format, first, step, &slope, exact | more);
            }
            first += step;
        }
        let usable = !self.affine.any_exact && !self.slope.any_exact;
        self.affine.repeat(format, extent, usable);
        if totals.is_some() {
            self.slope.repeat(format, extent, usable);
        }
    }
}

/// Two numbers from the first on, or one in both lanes where there is but one.
#[inline(always)]
pub(crate) fn lanes_from(values: &[f64], first: usize) -> f64x2 {
    match values[first..].first_chunk() {
        Some(&two) => f64x2::new(two),
        None => f64x2::splat(values[first]),
    }
}
