//! Any dense row-major array and any set of reduced axes, seen as
//!
//! ```text
//! [outer] [reduce] [channels] [inner]
//! ```
//!
//! where statistics are kept per (outer, channel) and reduced over (reduce, inner). Axes of size 1
//! are dropped and neighbours of a kind merged; what is left of kept (K) and reduced (R) axes is
//! then one of
//!
//! ```text
//!          K          R          KR         RK         KRK        RKR        KRKR
//! as       channels   inner      channels,  reduce,    outer,     reduce,    all four
//!                                inner      channels   reduce,    channels,
//!                                                      channels   inner
//! ```
//!
//! or alternates more often: such an array is *packed* into `[reduce][channels]` or
//! `[channels][inner]`, whichever leaves its last axis in place, so that runs stay contiguous.
//!
//! The view alone decides where blocks and chunks end, so the same array gives the same bits however
//! it is cut.

use crate::lanes::LANES;

/// Elements per channel that one chunk holds, rounded to whole blocks.
pub const CHUNK: usize = 1 << 13;
/// Rows of a block, channels-last.
pub const BLOCK_ROWS: usize = 256;
/// Elements of a block, channels-first.
pub const BLOCK_ELEMENTS: usize = 4096;
/// Most channels that one piece may have: the size of all scratch per channel.
pub const TILE: usize = 2048;
/// Numbers of a column of them. Columns a multiple of 4 kB apart would compete for the same lines of the
/// cache.
pub const COLUMN: usize = TILE + 16;
/// Below this many channels several rows are read as one, where that fills the lanes better; with segments below
/// half as many elements, of which a block has more.
const NARROW: u64 = 64;

// Places among the four.
const CHANNELS: usize = 2;
const INNER: usize = 3;

/// An array seen as `[outer][reduce][channels][inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Kept axes before the reduced ones.
    pub outer: u64,
    /// Reduced axes before the channels.
    pub reduce: u64,
    /// Kept axes.
    pub channels: u64,
    /// Reduced axes after the channels: the length of a channel's contiguous segment.
    pub inner: u64,
    /// The axes alternate more often than the view can say: they are to be moved first.
    pub packed: bool,
}

impl View {
    /// The view of an array of this shape with these axes reduced: `(size, reduced)` for each axis.
    pub fn new(axes: impl Iterator<Item = (u64, bool)> + Clone) -> Self {
        let axes = axes.filter(|axis| axis.0 != 1);
        let (mut runs, mut last) = (0, None);
        for (_, reduced) in axes.clone() {
            runs += usize::from(last != Some(reduced));
            last = Some(reduced);
        }
        let end = if last == Some(true) { INNER } else { CHANNELS };
        let packed = runs > end + 1;
        let mut sizes = [1u64; 4];
        let mut slot = end + 1 - if packed { 2 } else { runs.max(1) };
        let mut before = None;
        for (size, reduced) in axes {
            if packed {
                slot = if reduced == (end == INNER) { end } else { end - 1 };
            } else if before.is_some_and(|before| before != reduced) {
                slot += 1;
            }
            before = Some(reduced);
            sizes[slot] *= size;
        }
        let [outer, reduce, channels, inner] = sizes;
        Self { outer, reduce, channels, inner, packed }
    }

    /// How the elements of a channel fall into blocks and blocks into chunks.
    pub fn blocking(&self) -> Blocking {
        Blocking::new(self.channels, self.inner)
    }
}

/// Where blocks and chunks end; a function of the view's channels and inner alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// This many rows are read as one row with as many copies of each channel.
    pub copies: usize,
    /// Rows of a block: a reduction may be cut at multiples of this (channels-first with inner above
    /// [`BLOCK_ELEMENTS`]: also within a row, at multiples of those).
    pub rows: usize,
    /// Blocks of a chunk.
    pub blocks: usize,
}

impl Blocking {
    /// For a view with these channels and this inner.
    pub fn new(channels: u64, inner: u64) -> Self {
        if inner > 1 {
            let inner = usize::try_from(inner).unwrap_or(usize::MAX).min(BLOCK_ELEMENTS);
            let copies = copies(channels.saturating_mul(inner as u64), NARROW / 2);
            let rows = BLOCK_ELEMENTS / inner / copies * copies;
            return Self { copies, rows, blocks: CHUNK.div_ceil(rows * inner) };
        }
        let copies = copies(channels, NARROW);
        let rows = BLOCK_ROWS * copies;
        Self { copies, rows, blocks: CHUNK / rows }
    }
}

/// How many rows of so many elements are to be read as one: rows of less than `narrow` as whole groups of lanes,
/// and at least four of them.
fn copies(row: u64, narrow: u64) -> usize {
    let (mut copies, lanes) = (1, LANES as u64);
    if (1..narrow).contains(&row) {
        while !(row * copies).is_multiple_of(lanes) || row * copies < 4 * lanes {
            copies *= 2;
        }
    }
    copies as usize
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn view(shape: &[u64], reduced: &[usize]) -> (u64, u64, u64, u64, bool) {
        let view = View::new(shape.iter().enumerate().map(|(i, &n)| (n, reduced.contains(&i))));
        (view.outer, view.reduce, view.channels, view.inner, view.packed)
    }

    #[test]
    fn axes_become_outer_reduce_channels_inner() {
        assert_eq!(view(&[8, 5, 6, 3], &[0, 1, 2]), (1, 240, 3, 1, false), "NHWC");
        assert_eq!(view(&[8, 3, 5, 6], &[0, 2, 3]), (1, 8, 3, 30, false), "NCHW");
        assert_eq!(view(&[7, 9], &[1]), (1, 1, 7, 9, false), "rows, as layer norm");
        assert_eq!(view(&[8, 5, 6, 3], &[1, 2]), (8, 30, 3, 1, false), "NHWC instance norm");
        assert_eq!(view(&[8, 5, 6, 3], &[1, 3]), (8, 5, 6, 3, false), "KRKR");
        assert_eq!(view(&[7, 9], &[0, 1]), (1, 1, 1, 63, false), "all data");
        assert_eq!(view(&[7, 9], &[]), (1, 1, 63, 1, false), "nothing reduced");
        assert_eq!(view(&[], &[]), (1, 1, 1, 1, false), "a scalar");
        assert_eq!(view(&[0, 3], &[0]), (1, 0, 3, 1, false), "an empty batch");
    }

    #[test]
    fn axes_of_size_one_are_dropped() {
        assert_eq!(view(&[1, 8, 1, 3, 1], &[0, 1, 4]), (1, 8, 3, 1, false));
        assert_eq!(view(&[4, 1, 5], &[1]), (1, 1, 20, 1, false));
    }

    #[test]
    fn axes_that_alternate_more_are_packed_with_the_last_in_place() {
        assert_eq!(view(&[2, 3, 4, 5], &[0, 2]), (1, 8, 15, 1, true), "RKRK");
        assert_eq!(view(&[2, 3, 4, 5, 6], &[1, 3]), (1, 15, 48, 1, true), "KRKRK");
        assert_eq!(view(&[2, 3, 4, 5, 6], &[0, 2, 4]), (1, 1, 15, 48, true), "RKRKR");
    }

    #[test]
    fn narrow_rows_are_read_several_at_a_time() {
        for (channels, copies) in
            [(2, 8), (3, 8), (4, 4), (5, 4), (8, 2), (16, 1), (17, 4), (63, 4), (64, 1), (65, 1)]
        {
            assert_eq!(Blocking::new(channels, 1).copies, copies, "{channels} channels");
        }
    }

    #[test]
    fn narrow_rows_of_short_segments_too() {
        for (channels, inner, copies) in [
            (2, 2, 4),
            (2, 3, 4),
            (4, 2, 2),
            (3, 5, 4),
            (2, 15, 2),
            (4, 4, 1),
            (2, 16, 1),
            (5, 7, 1),
        ] {
            let blocking = Blocking::new(channels, inner);
            assert_eq!(blocking.copies, copies, "{channels} channels of {inner}");
            assert_eq!(blocking.rows % copies, 0);
        }
    }

    #[test]
    fn a_chunk_holds_8192_elements_rounded_to_blocks() {
        assert_eq!(Blocking::new(64, 1), Blocking { copies: 1, rows: 256, blocks: 32 });
        assert_eq!(Blocking::new(3, 1), Blocking { copies: 8, rows: 2048, blocks: 4 });
        assert_eq!(Blocking::new(3, 49), Blocking { copies: 1, rows: 83, blocks: 3 });
        assert_eq!(Blocking::new(3, 5000), Blocking { copies: 1, rows: 1, blocks: 2 });
    }
}
