//! The coefficients of the channels of a tile, folded four channels at a time in f64 and rounded to
//! elements.

use crate::affine::{self, Channels};
use crate::lanes::{Element, Format, LANES, Lanes};
use crate::piece::Extent;
use crate::slope::Totals;
use crate::view::{COLUMN, TILE};
use wide::{f32x4, f64x4};

/// Rows of fewer elements than this are read several at a time.
const SHORT: usize = 512;
/// Segments of fewer elements have a lane for each.
const SHORT_SEGMENT: usize = 16;

/// A coefficient of each channel.
pub type Column<E> = [E; COLUMN];

/// Three coefficients of each channel.
pub type Columns<E> = [Column<E>; 3];

/// Three coefficients of each channel, as elements of either type.
pub struct Table {
    single: Columns<f32>,
    double: Columns<f64>,
    exact: [bool; COLUMN],
    any_exact: bool,
    inner: usize,
    copies: usize,
}

/// An element type that tables hold.
pub trait Tabled: Element {
    /// The columns of this type.
    fn columns(table: &Table) -> &Columns<Self>;
}

impl Tabled for f32 {
    fn columns(table: &Table) -> &Columns<f32> {
        &table.single
    }
}

impl Tabled for f64 {
    fn columns(table: &Table) -> &Columns<f64> {
        &table.double
    }
}

impl Table {
    const EMPTY: Self = Self {
        single: [[0.0; COLUMN]; 3],
        double: [[0.0; COLUMN]; 3],
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

    /// The coefficients of a channel, as they were rounded.
    pub fn get(&self, format: &Format, channel: usize) -> [f64; 3] {
        [0, 1, 2].map(|column: usize| {
            let (single, double) = (&self.single[column], &self.double[column]);
            if format.single { f64::from(single[channel]) } else { double[channel] }
        })
    }

    /// No channels yet.
    fn clear(&mut self) {
        self.any_exact = false;
        self.exact.fill(false);
    }

    /// The coefficients of `count` channels, up to four, from the first on; a bit of `exact` for each that
    /// they do not serve.
    #[inline(never)]
    fn set(&mut self, format: &Format, first: usize, count: usize, lanes: [f64x4; 3], exact: u32) {
        if format.single {
            for (column, lanes) in self.single.iter_mut().zip(lanes) {
                column[first..][..LANES].copy_from_slice(&f32x4::from_f64x4(lanes).to_array());
            }
        } else {
            for (column, lanes) in self.double.iter_mut().zip(lanes) {
                column[first..][..LANES].copy_from_slice(&lanes.to_array());
            }
        }
        if exact != 0 {
            for lane in 0..count {
                self.exact[first + lane] = exact >> lane & 1 != 0;
                self.any_exact |= self.exact[first + lane];
            }
        }
    }

    /// Repeats coefficients, if all are `usable`: those of each channel, where segments are short, then those
    /// of a row, until it is long and of whole groups.
    #[inline(never)]
    fn repeat(&mut self, format: &Format, extent: Extent, usable: bool) {
        let Extent { rows, channels, inner, .. } = extent;
        let short = inner < SHORT_SEGMENT && channels * inner <= TILE && usable;
        (self.inner, self.copies) = (if short { inner } else { 1 }, 1);
        let mut len = channels * self.inner;
        for lane in (0..if self.inner > 1 { len } else { 0 }).rev() {
            self.copy(format, lane / inner, lane, 1);
        }
        while usable && self.inner == inner && len < SHORT && self.copies < rows {
            self.copy(format, 0, len, len);
            self.copies *= 2;
            len *= 2;
        }
    }

    /// Copies coefficients to other lanes.
    fn copy(&mut self, format: &Format, from: usize, to: usize, len: usize) {
        for index in 0..3 {
            if format.single {
                self.single[index].copy_within(from..from + len, to);
            } else {
                self.double[index].copy_within(from..from + len, to);
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
            let step = if count - first < LANES { 1 } else { LANES };
            let channel = channels.lanes(first);
            let (affine, exact) = affine::fold_lanes(format, &channel);
            self.affine.set(format, first, step, affine.columns(), exact);
            if let Some(totals) = totals {
                let (slope, more) =
                    totals.fold(format, first, channels.variance, &channel, affine.center);
                self.slope.set(format, first, step, slope, exact | more);
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

/// Four numbers from the first on, or one in every lane where there are fewer.
#[inline(always)]
pub(crate) fn lanes_from(values: &[f64], first: usize) -> f64x4 {
    match values[first..].first_chunk() {
        Some(&four) => f64x4::new(four),
        None => f64x4::splat(values[first]),
    }
}
