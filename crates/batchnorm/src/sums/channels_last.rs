//! Channels-last: channels lie in lanes, whole rows stream by.

use super::{Input, Scratch, Totals, sum_rows};
use crate::block::Block;
use crate::lanes::{Element, LANES};
use crate::piece::Rows;
use core::ops::Range;

impl<E: Element> Input<'_, E> {
    pub(super) fn sum_channels_last(
        &mut self,
        block: &Block,
        groups: Range<usize>,
        into: &mut [[Totals; 2]],
    ) {
        let rows = self.rows.map(|rows| rows.from(block.row, block.copies));
        let Scratch { coefficients, sums, gathered } = &mut self.scratch;
        let whole = groups.start..groups.end.min(block.lanes / LANES);
        let mut sum = |rows, groups: Range<usize>| {
            let (coefficients, into) = (&coefficients[groups.clone()], &mut into[groups]);
            sum_rows(rows, self.terms, block.rows, coefficients, sums, into);
        };
        if !whole.is_empty() {
            let rows = rows.map(|rows| Rows::new(rows.data, whole.start * LANES, rows.stride));
            sum(rows, whole.clone());
        }
        // The last group, where it is not whole, filled up with what adds nothing.
        if whole.end < groups.end {
            let group = whole.end;
            let fill = [coefficients[group][0], [E::ZERO; LANES]];
            for ((gathered, rows), fill) in gathered.iter_mut().zip(rows).zip(fill) {
                let (gathered, _) = gathered.as_chunks_mut::<LANES>();
                for (row, lanes) in gathered[..block.rows].iter_mut().enumerate() {
                    *lanes = fill;
                    let rest = rows.part(row, group * LANES, block.lanes - group * LANES);
                    for (lane, &element) in lanes.iter_mut().zip(rest) {
                        *lane = element;
                    }
                }
            }
            sum(
                gathered.each_ref().map(|gathered| Rows::new(&gathered[..], 0, LANES)),
                group..group + 1,
            );
        }
    }
}
