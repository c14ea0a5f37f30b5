//! Channels-first: one channel at a time, its contiguous segments cut into blocks.

use super::{Moments, Sums, first_shift, settle, widen};
use crate::lanes::{Element, LANES, Lanes, across};
use crate::piece::{Extent, Rows};
use crate::state::{Chunked, State};
use crate::view::{BLOCK_ELEMENTS, Blocking, MOMENTS_PARTS, TILE};

/// The open reduction of the channels of one outer.
pub struct Reduction<E> {
    channels: [Chunked<Moments<f64>>; TILE],
    gathered: [E; BLOCK_ELEMENTS],
}

impl<E: Element> Reduction<E> {
    /// Of no elements.
    pub const EMPTY: Self =
        Self { channels: [Chunked::EMPTY; TILE], gathered: [E::ZERO; BLOCK_ELEMENTS] };

    /// Forgets the elements of the first channels.
    pub fn clear(&mut self, channels: usize) {
        self.channels[..channels].fill(Chunked::EMPTY);
    }

    /// Pushes rows, cut where `blocking` allows.
    pub fn push(&mut self, rows: Rows<'_, E>, extent: Extent, blocking: Blocking) {
        for (index, channel) in self.channels[..extent.channels].iter_mut().enumerate() {
            let segment = |row| rows.part(row, index * extent.inner, extent.inner);
            for first in (0..extent.rows).step_by(blocking.rows) {
                let count = blocking.rows.min(extent.rows - first);
                if count > 1 {
                    let block = gather(&mut self.gathered, (first..first + count).map(segment));
                    push_block(channel, block, blocking.blocks);
                } else {
                    for block in segment(first).chunks(BLOCK_ELEMENTS) {
                        push_block(channel, block, blocking.blocks);
                    }
                }
            }
        }
    }

    /// The moments of all that was pushed of a channel.
    pub fn finish(&mut self, channel: usize) -> Moments<f64> {
        self.channels[channel].finish()
    }
}

/// Segments too short for a block of their own, side by side.
pub(crate) fn gather<'a, 'b, E: Element + 'a>(
    buffer: &'b mut [E; BLOCK_ELEMENTS],
    segments: impl Iterator<Item = &'a [E]>,
) -> &'b [E] {
    let mut len = 0;
    for segment in segments {
        buffer[len..len + segment.len()].copy_from_slice(segment);
        len += segment.len();
    }
    &buffer[..len]
}

fn push_block<E: Element>(channel: &mut Chunked<Moments<f64>>, block: &[E], limit: usize) {
    let chunk = channel.chunk;
    let shift = if chunk.is_empty() {
        first_shift(block.len(), E::from_f64(1.0), |i| block[i])
    } else {
        E::from_f64(chunk.mean())
    };
    let merged = settle(
        chunk,
        block.len() as f64,
        shift,
        sums(block, shift),
        |shift| sums(block, shift),
        block.iter().copied(),
    );
    channel.set_chunk(merged, limit);
}

/// The sums of a block, part by part.
fn sums<E: Element>(block: &[E], shift: E) -> Sums<f64> {
    let parts = block.chunks(BLOCK_ELEMENTS / MOMENTS_PARTS);
    parts.fold(Sums::ZERO, |done, part| done.plus(part_sums(part, shift)))
}

/// Trees of four vectors onto four accumulators in turn, so that no lane adds more than eight times in
/// a row; then single vectors, the last filled up with the shift, which adds nothing.
fn part_sums<E: Element>(block: &[E], shift: E) -> Sums<f64> {
    let shifts = E::Lanes::splat(shift);
    let mut accumulators = [Sums::<E::Lanes>::ZERO; 4];
    let (vectors, rest) = block.as_chunks::<LANES>();
    let (trees, singles) = vectors.as_chunks::<4>();
    let (steps, last_trees) = trees.as_chunks::<4>();
    for step in steps {
        for (accumulator, tree) in accumulators.iter_mut().zip(step) {
            accumulator.push_four(tree.map(E::Lanes::new), shifts);
        }
    }
    for (accumulator, tree) in accumulators.iter_mut().zip(last_trees) {
        accumulator.push_four(tree.map(E::Lanes::new), shifts);
    }
    for (accumulator, &vector) in accumulators.iter_mut().zip(singles) {
        accumulator.push(E::Lanes::new(vector), shifts);
    }
    if !rest.is_empty() {
        accumulators[3].push(E::Lanes::from_part(rest, shifts), shifts);
    }
    let [a, b, c, d] = accumulators.map(widen);
    Sums {
        sum: across((a.sum + b.sum) + (c.sum + d.sum)),
        squares: across((a.squares + b.squares) + (c.squares + d.squares)),
    }
}
