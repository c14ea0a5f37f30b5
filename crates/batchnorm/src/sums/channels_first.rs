//! Channels-first: one channel at a time, its segments run by run.

use super::{
    Coefficients, GRADIENT, Input, MASKED_GRADIENT, MOMENTS, Sums, Terms, Totals, across, flush,
};
use crate::block::Block;
use crate::lanes::{Element, LANES, Lanes, PAIR, Real};
use core::ops::Range;

/// Accumulators, each of which takes four vectors at a time.
const ACCUMULATORS: usize = 4;
/// Elements that add once to each lane of each.
const STEP: usize = ACCUMULATORS * 4 * LANES;

type Accumulators<V> = [Sums<V>; ACCUMULATORS];

impl<E: Element> Input<'_, E> {
    pub(super) fn sum_channels_first(
        &mut self,
        block: &Block,
        groups: Range<usize>,
        into: &mut [[Totals; 2]],
    ) {
        for group in groups {
            for lane in 0..LANES.min(block.lanes - group * LANES) {
                let [center, scale, shift] =
                    self.scratch.coefficients[group].map(|lanes| lanes[lane]);
                let coefficients = Coefficients { center, gate: [scale, shift] };
                let mut totals = [[Totals::EMPTY; 2]; ACCUMULATORS];
                self.sum_lane(block, group * LANES + lane, &coefficients, &mut totals);
                merge_into::<E>(&mut into[group][lane / PAIR], lane % PAIR, &totals);
            }
        }
    }

    /// The sums of one channel of a block.
    fn sum_lane(
        &mut self,
        block: &Block,
        lane: usize,
        coefficients: &Coefficients<E>,
        totals: &mut [[Totals; 2]; ACCUMULATORS],
    ) {
        let Self { rows: [x, dy], terms, .. } = self;
        let start = lane * block.inner + block.start;
        let segments = (block.row..block.row + block.rows)
            .map(|row| (x.part(row, start, block.len), dy.part(row, start, block.len)));
        let mut runs = Runs::new(*terms, *coefficients, totals);
        segments.for_each(|(x, dy)| runs.push(x, dy));
        runs.finish();
    }
}

/// Runs of elements of one channel, summed in turn.
struct Runs<'a, E: Element> {
    sum: SumRun<E>,
    coefficients: Coefficients<E::Lanes>,
    accumulators: Accumulators<E::Lanes>,
    /// How often each may be added to, and was.
    most: usize,
    additions: usize,
    totals: &'a mut [[Totals; 2]; ACCUMULATORS],
}

type SumRun<E> =
    fn(&[E], &[E], &Coefficients<<E as Element>::Lanes>, &mut Accumulators<<E as Element>::Lanes>);

impl<'a, E: Element> Runs<'a, E> {
    fn new(
        terms: Terms,
        Coefficients { center, gate: [scale, shift] }: Coefficients<E>,
        totals: &'a mut [[Totals; 2]; ACCUMULATORS],
    ) -> Self {
        let sum = match terms {
            Terms::Moments => sum_run::<E, MOMENTS>,
            Terms::Gradient => sum_run::<E, GRADIENT>,
            Terms::MaskedGradient => sum_run::<E, MASKED_GRADIENT>,
        };
        let gate = [E::Lanes::splat(scale), E::Lanes::splat(shift)];
        let coefficients = Coefficients { center: E::Lanes::splat(center), gate };
        let accumulators = [Sums::<E::Lanes>::ZERO; ACCUMULATORS];
        Self { sum, coefficients, accumulators, most: terms.part() / 4, additions: 0, totals }
    }

    fn push(&mut self, mut x: &[E], mut dy: &[E]) {
        while !x.is_empty() {
            let mut len = x.len().min(self.most * STEP);
            if additions(len) > self.most {
                len -= STEP;
            }
            let additions = additions(len);
            if self.additions + additions > self.most {
                flush::<E>(&mut self.accumulators, self.totals);
                self.additions = 0;
            }
            self.additions += additions;
            (self.sum)(&x[..len], &dy[..len], &self.coefficients, &mut self.accumulators);
            (x, dy) = (&x[len..], &dy[len..]);
        }
    }

    fn finish(mut self) {
        flush::<E>(&mut self.accumulators, self.totals);
    }
}

/// How often a run of elements adds to one accumulator at most: the first takes trees and a single vector, the
/// last trees and what is left of a vector.
fn additions(len: usize) -> usize {
    let trees = len / (4 * LANES);
    let first = trees.div_ceil(ACCUMULATORS) + usize::from(len % (4 * LANES) >= LANES);
    let last = trees / ACCUMULATORS + usize::from(!len.is_multiple_of(LANES));
    first.max(last)
}

/// Trees of four vectors onto the accumulators in turn; the tree that is left, of single vectors, and
/// the last vector are filled up with what adds nothing.
#[inline(never)]
fn sum_run<E: Element, const TERMS: u8>(
    x: &[E],
    dy: &[E],
    coefficients: &Coefficients<E::Lanes>,
    accumulators: &mut Accumulators<E::Lanes>,
) {
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (dy, dy_rest) = dy.as_chunks::<LANES>();
    let (x_trees, x_singles) = x.as_chunks::<4>();
    let (dy_trees, dy_singles) = dy.as_chunks::<4>();
    let terms = |x: &[E; LANES], dy: &[E; LANES]| {
        coefficients.terms::<TERMS>(E::Lanes::new(*x), E::Lanes::new(*dy))
    };
    for (index, ([xa, xb, xc, xd], [ya, yb, yc, yd])) in x_trees.iter().zip(dy_trees).enumerate() {
        let (a, b, c, d) = (terms(xa, ya), terms(xb, yb), terms(xc, yc), terms(xd, yd));
        let sums = &mut accumulators[index % ACCUMULATORS];
        sums.sum = sums.sum + ((a.0 + b.0) + (c.0 + d.0));
        sums.product = sums.product + ((a.0 * a.1 + b.0 * b.1) + (c.0 * c.1 + d.0 * d.1));
    }
    for ((sums, x), dy) in accumulators.iter_mut().zip(x_singles).zip(dy_singles) {
        sums.push(terms(x, dy));
    }
    if !x_rest.is_empty() {
        let x = E::Lanes::from_part(x_rest, coefficients.center);
        let dy = E::Lanes::from_part(dy_rest, E::Lanes::ZERO);
        accumulators[ACCUMULATORS - 1].push(coefficients.terms::<TERMS>(x, dy));
    }
}

/// Adds lanes up, into one.
#[inline(never)]
fn merge_into<E: Element>(into: &mut Totals, lane: usize, parts: &[[Totals; 2]; ACCUMULATORS]) {
    let lanes = [0, 1].map(|pair| {
        parts[1..].iter().fold(parts[0][pair], |total, part| total.join(part[pair], E::IS_NARROW))
    });
    let [sum, product] = [lanes.map(|lanes| lanes.sum), lanes.map(|lanes| lanes.product)]
        .map(|lanes| across(lanes, E::IS_NARROW));
    into.join_lane(lane, sum, product);
}
