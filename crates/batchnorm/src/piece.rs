//! The part of a view that one call works on, and where its elements lie.
//!
//! A piece holds whole outers, or rows of one outer and some of its channels, or (channels-first) a
//! part of one segment. Its arrays may be the caller's, with the strides of the whole view, or
//! copies without gaps.

use crate::lanes::LANES;

/// The size of a piece along the four axes of the view.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Outers.
    pub outer: usize,
    /// Rows of each.
    pub rows: usize,
    /// Channels of each row.
    pub channels: usize,
    /// Elements of each channel of a row: the view's inner, or a part of it.
    pub inner: usize,
}

/// An array's elements (`T` is the element, or a cell of it) in the order of a piece.
#[derive(Debug)]
pub struct Array<'a, T> {
    /// The elements, from the first of the piece on.
    pub data: &'a [T],
    /// Elements from an outer to the next.
    pub outer_stride: usize,
    /// Elements from a row to the next.
    pub row_stride: usize,
}

impl<'a, T> Array<'a, T> {
    /// A piece without gaps.
    pub fn dense(data: &'a [T], extent: Extent) -> Self {
        let row_stride = extent.channels * extent.inner;
        Self { data, outer_stride: extent.rows * row_stride, row_stride }
    }

    /// The rows of one outer.
    #[inline]
    pub fn outer(&self, index: usize) -> Rows<'a, T> {
        Rows::new(self.data, index * self.outer_stride, self.row_stride)
    }
}

/// The rows of one outer.
#[derive(Debug)]
pub struct Rows<'a, T> {
    /// The elements, from the first row's first on.
    pub data: &'a [T],
    /// Elements from a row to the next.
    pub stride: usize,
}

// Derived, these would ask the same of T, and a Cell is not Copy.
impl<T> Clone for Rows<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Rows<'_, T> {}

impl<'a, T> Rows<'a, T> {
    /// The elements from `start` on, `stride` from a row to the next.
    #[inline(always)]
    pub fn new(data: &'a [T], start: usize, stride: usize) -> Self {
        Self { data: from(data, start), stride }
    }

    /// The elements `start..start + len` of a row.
    #[inline(always)]
    pub fn part(&self, row: usize, start: usize, len: usize) -> &'a [T] {
        part(self.data, row * self.stride + start, len)
    }

    /// So many groups of lanes of a row.
    #[inline(always)]
    pub fn vectors(&self, row: usize, groups: usize) -> &'a [[T; LANES]] {
        part(from(self.data, row * self.stride).as_chunks().0, 0, groups)
    }

    /// From this row on, with `copies` of its rows (which must lie without gaps) read as one.
    #[inline]
    pub fn from(&self, row: usize, copies: usize) -> Self {
        Self::new(self.data, row * self.stride, self.stride * copies)
    }
}

/// `len` elements from `start` on.
#[inline(always)]
pub(crate) fn part<T>(elements: &[T], start: usize, len: usize) -> &[T] {
    from(elements, start).get(..len).unwrap_or_else(|| outside())
}

/// The elements from `start` on.
#[inline(always)]
fn from<T>(elements: &[T], start: usize) -> &[T] {
    elements.get(start..).unwrap_or_else(|| outside())
}

/// One panic for all: each of its own would carry its place in the source along.
#[cold]
#[inline(never)]
pub(crate) fn outside() -> ! {
    panic!("outside the elements")
}
