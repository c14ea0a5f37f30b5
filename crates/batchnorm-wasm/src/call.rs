//! What JavaScript writes before a call: the piece, its arrays, and the numbers per channel.

use batchnorm::affine::Channels;
use batchnorm::map::{Arrays, Operands};
use batchnorm::piece::{Extent, Rows};
use batchnorm::slope::Totals;
use batchnorm::view::{Blocking, TILE};
#[cfg(feature = "threads")]
use core::ops::Range;

/// The piece and its arrays; ts/wasm.ts has the same list.
#[repr(C)]
pub struct Call {
    outer: usize,
    rows: usize,
    channels: usize,
    inner: usize,
    channels_last: usize,
    copies: usize,
    block_rows: usize,
    blocks: usize,
    arrays: [Place; 5],
}

/// What an array of a call is to it.
#[derive(Clone, Copy)]
pub enum Role {
    /// x, which the gate of dy may write.
    X,
    /// The gradient of y, which the gate writes.
    Dy,
    /// What is written: y or dx.
    Out,
    /// What is added before the activation.
    Residual,
    /// The weight of each element, f64.
    Weights,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Place {
    ptr: usize,
    outer_stride: usize,
    row_stride: usize,
}

impl Call {
    /// To be written.
    pub const EMPTY: Self = Self {
        outer: 0,
        rows: 0,
        channels: 0,
        inner: 0,
        channels_last: 1,
        copies: 1,
        block_rows: 1,
        blocks: 1,
        arrays: [Place { ptr: 0, outer_stride: 0, row_stride: 0 }; 5],
    };

    /// The size of the piece.
    pub fn extent(&self) -> Extent {
        Extent { outer: self.outer, rows: self.rows, channels: self.channels, inner: self.inner }
    }

    /// The blocking of the view that the piece is of.
    pub fn blocking(&self) -> Blocking {
        Blocking { copies: self.copies, rows: self.block_rows, blocks: self.blocks }
    }

    /// Whether the view has no inner: channels lie in lanes.
    pub fn is_channels_last(&self) -> bool {
        self.channels_last != 0
    }

    /// The rows of one outer of an array. What may be written during the call, or be the same as another, is
    /// to be read as cells.
    #[inline(never)]
    pub fn rows<T>(&self, role: Role, outer: usize) -> Rows<'_, T> {
        let place = self.arrays[role as usize];
        // SAFETY: `ptr` is that of a staging buffer or of a live allocation of the user, aligned,
        // with `len` elements behind it; whoever writes there during the call has cells. Any bits are a
        // float.
        let data = unsafe { core::slice::from_raw_parts(place.ptr as *const T, self.len(place)) };
        Rows::new(data, outer * place.outer_stride, place.row_stride)
    }

    /// The rows of one outer for a map: its two operands, its result and, if there are any, the weights.
    #[inline(never)]
    pub fn operands(
        &self,
        double: bool,
        outer: usize,
        roles: [Role; 3],
        weighted: bool,
    ) -> Operands<'_> {
        let weights = weighted.then(|| self.rows(Role::Weights, outer));
        if double {
            let [x, other, out] = roles.map(|role| self.rows(role, outer));
            Operands::Double(Arrays { x, other, out, weights })
        } else {
            let [x, other, out] = roles.map(|role| self.rows(role, outer));
            Operands::Single(Arrays { x, other, out, weights })
        }
    }

    /// Some of its outers.
    #[cfg(feature = "threads")]
    pub fn outers(&self, outers: Range<usize>, double: bool) -> Self {
        let outer = outers.len();
        self.moved(double, |place| outers.start * place.outer_stride, |call| call.outer = outer)
    }

    /// Some rows and channels of its one outer, and of each segment the elements of a range.
    #[cfg(feature = "threads")]
    pub fn part(
        &self,
        rows: Range<usize>,
        channels: Range<usize>,
        inner: Range<usize>,
        double: bool,
    ) -> Self {
        let start = channels.start * self.inner + inner.start;
        self.moved(
            double,
            |place| rows.start * place.row_stride + start,
            |call| {
                (call.rows, call.channels, call.inner) = (rows.len(), channels.len(), inner.len());
            },
        )
    }

    /// A call that begins some elements further on.
    #[cfg(feature = "threads")]
    fn moved(
        &self,
        double: bool,
        elements: impl Fn(&Place) -> usize,
        size: impl FnOnce(&mut Self),
    ) -> Self {
        let mut call = Self { arrays: self.arrays, ..*self };
        for (index, place) in call.arrays.iter_mut().enumerate() {
            let bytes = if double || index == Role::Weights as usize { 8 } else { 4 };
            place.ptr += elements(place) * bytes;
        }
        size(&mut call);
        call
    }

    fn len(&self, place: Place) -> usize {
        if self.outer == 0 || self.rows == 0 {
            return 0;
        }
        (self.outer - 1) * place.outer_stride
            + (self.rows - 1) * place.row_stride
            + self.channels * self.inner
    }
}

/// The numbers per channel; ts/wasm.ts has the same list.
#[repr(C)]
pub struct ChannelTable {
    /// Mean.
    pub mean: [f64; TILE],
    /// Biased variance.
    pub variance: [f64; TILE],
    /// Learned scale.
    pub gamma: [f64; TILE],
    /// Learned offset.
    pub beta: [f64; TILE],
    /// Elements reduced.
    pub count: [f64; TILE],
    /// Gradient of gamma.
    pub dgamma: [f64; TILE],
    /// Gradient of beta.
    pub dbeta: [f64; TILE],
    /// What rounding the mean took away.
    pub mean_rest: [f64; TILE],
}

impl ChannelTable {
    /// To be written.
    pub const EMPTY: Self = Self {
        mean: [0.0; TILE],
        variance: [0.0; TILE],
        gamma: [0.0; TILE],
        beta: [0.0; TILE],
        count: [0.0; TILE],
        dgamma: [0.0; TILE],
        dbeta: [0.0; TILE],
        mean_rest: [0.0; TILE],
    };

    /// The channels of one outer.
    pub fn channels(&self, outer: usize, count: usize, epsilon: f64) -> Channels<'_> {
        Channels {
            mean: part(&self.mean, outer, count),
            variance: part(&self.variance, outer, count),
            gamma: part(&self.gamma, outer, count),
            beta: part(&self.beta, outer, count),
            epsilon,
        }
    }

    /// The totals of one outer.
    pub fn totals(&self, outer: usize, count: usize, frozen: bool) -> Totals<'_> {
        Totals {
            dbeta: part(&self.dbeta, outer, count),
            dgamma: part(&self.dgamma, outer, count),
            count: part(&self.count, outer, count),
            frozen,
        }
    }
}

fn part(numbers: &[f64; TILE], outer: usize, count: usize) -> &[f64] {
    &numbers[outer * count..][..count]
}
