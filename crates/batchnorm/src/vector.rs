//! A register of 128 bits: four f32 or two f64.
//!
//! Maps have no order of additions that four lanes would have to keep: so both element types take a
//! register at a time, in as many instructions.

use crate::lanes::Real;
use crate::piece::outside;
use core::cell::Cell;
use wide::{f32x4, f64x2};

/// Lanes that cells are read into.
pub trait Vector: Real {
    /// What is in a lane.
    type Element: Copy;
    /// Elements for all lanes.
    type Array: Copy;
    /// Cells for all lanes.
    type Cells;
    /// How many lanes there are.
    const WIDTH: usize;

    /// From an array.
    fn new(values: &Self::Array) -> Self;
    /// One element of an array in every lane.
    fn splat(values: &Self::Array, lane: usize) -> Self;
    /// From cells, in one load.
    fn load(cells: &Self::Cells) -> Self;
    /// To cells, in one store.
    fn store(self, cells: &Self::Cells);
    /// Cells in groups, without those that fill none.
    fn groups(cells: &[Cell<Self::Element>]) -> &[Self::Cells];
    /// The group that starts at this cell.
    fn group(cells: &[Cell<Self::Element>], start: usize) -> &Self::Cells;
}

macro_rules! impl_vector {
    ($vector:ident, $element:ident, $width:literal) => {
        impl Vector for $vector {
            type Element = $element;
            type Array = [$element; $width];
            type Cells = [Cell<$element>; $width];
            const WIDTH: usize = $width;

            #[inline(always)]
            fn new(values: &Self::Array) -> Self {
                $vector::new(*values)
            }
            #[inline(always)]
            fn splat(values: &Self::Array, lane: usize) -> Self {
                $vector::splat(values[lane % $width])
            }
            #[inline(always)]
            fn load(cells: &Self::Cells) -> Self {
                $vector::new(cells.each_ref().map(Cell::get))
            }
            #[inline(always)]
            fn store(self, cells: &Self::Cells) {
                for (cell, lane) in cells.iter().zip(self.to_array()) {
                    cell.set(lane);
                }
            }
            #[inline(always)]
            fn groups(cells: &[Cell<Self::Element>]) -> &[Self::Cells] {
                cells.as_chunks().0
            }
            #[inline(always)]
            fn group(cells: &[Cell<Self::Element>], start: usize) -> &Self::Cells {
                cells.get(start..).and_then(|rest| rest.first_chunk()).unwrap_or_else(|| outside())
            }
        }
    };
}

impl_vector!(f32x4, f32, 4);
impl_vector!(f64x2, f64, 2);

impl Real for f64x2 {
    const ZERO: Self = Self::new([0.0; 2]);
    #[inline(always)]
    fn of(value: f64) -> Self {
        Self::splat(value)
    }
    #[inline(always)]
    fn select_le(self, bound: Self, then: Self, otherwise: Self) -> Self {
        self.simd_le(bound).select(then, otherwise)
    }
}
