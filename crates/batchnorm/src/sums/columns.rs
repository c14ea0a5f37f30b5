//! Columns: whole rows stream by, and each of their columns has a lane.
//!
//! Channels-last, a column is a channel. Where segments are short, their elements lie side by side in the row, and
//! the sums of a channel's columns, which share its coefficients, are added up part by part.

use super::{Columns, Flat, Input, Part, SPREAD, Scratch, Sums, Terms, Totals, VECTORS};
use super::{across, flush, sum_part};
use crate::block::Block;
use crate::lanes::{Element, LANES, Lanes, PAIR};
use crate::piece::{Rows, part};
use crate::state::Sum;
use core::ops::Range;

impl<E: Element> Input<'_, E> {
    pub(super) fn sum_columns(
        &mut self,
        block: &Block,
        vectors: Range<usize>,
        into: &mut [[Totals; 2]],
    ) {
        let Scratch { coefficients, part, spread } = &mut *self.scratch;
        let inner = if self.channels_last { 1 } else { block.inner };
        let step = if inner == 1 { VECTORS } else { SPREAD / inner };
        let mut first = vectors.start;
        while first < vectors.end {
            let vectors = first..vectors.end.min(first + step);
            let lanes = block.lanes.min(vectors.end * LANES) - first * LANES;
            let rows = self.rows.map(|rows| {
                let rows = rows.from(block.row, block.copies);
                Rows::new(rows.data, first * LANES * inner, rows.stride)
            });
            let mut coefficients = &coefficients[vectors.clone()];
            if inner > 1 {
                let spread = &mut spread[..(lanes * inner).div_ceil(LANES)];
                for number in 0..self.terms.coefficients() {
                    spread_out(number, coefficients, lanes, inner, spread);
                }
                coefficients = spread;
            }
            first = vectors.end;
            let columns = [lanes * inner, inner];
            part.sum_rows(rows, self.terms, block.rows, columns, coefficients, &mut into[vectors]);
        }
    }
}

/// One of the coefficients of lanes, for each of their columns.
#[inline(never)]
fn spread_out<E: Element>(
    number: usize,
    from: &[Columns<E>],
    lanes: usize,
    inner: usize,
    into: &mut [Columns<E>],
) {
    for lane in 0..lanes {
        let value = from[lane / LANES][number][lane % LANES];
        let [first, end] = [lane * inner, (lane + 1) * inner];
        // The vector in which it begins may have columns of others before; what lies beyond its end is the next's.
        if let [shared, own @ ..] = &mut into[first / LANES..end.div_ceil(LANES)] {
            for column in &mut shared[number][first % LANES..] {
                *column = value;
            }
            for vector in own {
                vector[number] = [value; LANES];
            }
        }
    }
}

impl<E: Element> Part<E> {
    /// Sums as many columns of rows as there are coefficients, part by part.
    #[inline(never)]
    fn sum_rows(
        &mut self,
        rows: [Rows<'_, E>; 2],
        terms: Terms,
        count: usize,
        [len, inner]: [usize; 2],
        coefficients: &[Columns<E>],
        into: &mut [[Totals; 2]],
    ) {
        let groups = coefficients.len();
        let Self { sums, rest, columns } = self;
        let sums = &mut sums[..groups];
        let mut first = 0;
        while first < count {
            // The rows that are left to no tree are a part of their own; where adding up columns would cost more than
            // what is added, only if a lane would add too often in a row.
            let left = count - first;
            let joins = inner > 1 && left / 4 + left % 4 <= terms.part() / 4;
            let trees = if left < 4 || joins { count } else { count - count % 4 };
            let end = trees.min(first + terms.part());
            // In lanes beyond the last, anything: what lies next to the row, unless memory ends there.
            let fits =
                |rows: &Rows<'_, E>| (end - 1) * rows.stride + groups * LANES <= rows.data.len();
            let direct = if rows.iter().all(fits) { groups } else { len / LANES };
            sum_part(rows, terms, first..end, &coefficients[..direct], sums);
            if direct < groups {
                let mut last = rows;
                for (rows, rest) in last.iter_mut().zip(&mut *rest) {
                    gather(rows, first..end, direct * LANES, len - direct * LANES, rest);
                    *rows = Rows::new(rest.as_flattened(), 0, LANES);
                }
                let sums = &mut sums[direct..];
                sum_part(last, terms, 0..end - first, &coefficients[direct..], sums);
            }
            if inner == 1 {
                flush::<E>(sums, into);
            } else {
                flush_columns::<E>(sums, [len, inner], columns, into.as_flattened_mut());
            }
            first = end;
        }
    }
}

/// Copies a few elements of each row.
#[inline(never)]
fn gather<E: Element>(
    from: &Rows<'_, E>,
    rows: Range<usize>,
    start: usize,
    len: usize,
    into: &mut [[E; LANES]],
) {
    for (row, lanes) in rows.zip(into) {
        for (lane, &element) in lanes.iter_mut().zip(from.part(row, start, len)) {
            *lane = element;
        }
    }
}

/// Adds the sums of a part, of `inner` columns for each lane, to those before, and empties them.
#[inline(never)]
fn flush_columns<E: Element>(
    sums: &mut [Sums<E::Lanes>],
    [count, inner]: [usize; 2],
    [sum, product]: &mut [Flat<E>; 2],
    into: &mut [Totals],
) {
    for ((from, sum), product) in sums.iter_mut().zip(&mut *sum).zip(&mut *product) {
        (*sum, *product) = (from.sum.to_array(), from.product.to_array());
        *from = Sums::<E::Lanes>::ZERO;
    }
    for (columns, is_product) in [(sum, false), (product, true)] {
        join_columns(part(columns.as_flattened(), 0, count), inner, into, is_product);
    }
}

/// Adds columns up, and to those of their lanes before.
#[inline(never)]
fn join_columns<E: Element>(columns: &[E], inner: usize, into: &mut [Totals], is_product: bool) {
    for lane in 0..columns.len() / inner {
        let total = total(part(columns, lane * inner, inner));
        let Totals { sum, product } = &mut into[lane / PAIR];
        let into = if is_product { product } else { sum };
        into.set_lane(lane % PAIR, into.lane(lane % PAIR).merge(total));
    }
}

/// The sum of all columns.
#[inline(always)]
fn total<E: Element>(columns: &[E]) -> Sum<f64> {
    let (vectors, rest) = columns.as_chunks::<LANES>();
    let mut lanes = [Sum::ZERO; 2];
    for &vector in vectors {
        for (total, pair) in lanes.iter_mut().zip(E::Lanes::new(vector).to_pairs()) {
            *total = total.join(Sum::new(pair), E::IS_NARROW);
        }
    }
    let first = across(lanes, E::IS_NARROW);
    rest.iter().fold(first, |total, &value| total.join(Sum::new(value.to_f64()), E::IS_NARROW))
}
