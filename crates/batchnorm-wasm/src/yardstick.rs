//! What the memory allows: loops that do no more than read and write arrays, in lanes of 128 bits.
//!
//! The bench measures the kernels against them, in a build of its own (feature `yardstick`); they are
//! no part of what is shipped. Lengths are multiples of 32 elements, which the bench sees to.

use core::array;
use core::cell::Cell;
use core::ops::Add;
use wasm_bindgen::prelude::wasm_bindgen;
use wide::f32x4;

/// Registers of a step. An addition takes about four cycles and two may begin in each, so with fewer
/// sums at once the additions would be what is measured.
const WIDTH: usize = 8;

type Step = [f32x4; WIDTH];

/// y = x.
#[wasm_bindgen]
pub fn yardstick_copy(x_ptr: usize, y_ptr: usize, len: usize) {
    for (x, y) in steps(x_ptr, len).iter().zip(steps(y_ptr, len)) {
        store(y, load(x));
    }
}

/// Σx.
#[wasm_bindgen]
pub fn yardstick_sum(x_ptr: usize, len: usize) -> f32 {
    total(steps(x_ptr, len).iter().fold([f32x4::ZERO; WIDTH], |sums, x| add(sums, load(x))))
}

/// Σx + Σy.
#[wasm_bindgen]
pub fn yardstick_sum_of_two(x_ptr: usize, y_ptr: usize, len: usize) -> f32 {
    let both = steps(x_ptr, len).iter().zip(steps(y_ptr, len));
    total(both.fold([f32x4::ZERO; WIDTH], |sums, (x, y)| add(sums, add(load(x), load(y)))))
}

/// z = x + a·y.
#[wasm_bindgen]
pub fn yardstick_triad(a: f32, x_ptr: usize, y_ptr: usize, z_ptr: usize, len: usize) {
    let a = f32x4::splat(a);
    let both = steps(x_ptr, len).iter().zip(steps(y_ptr, len));
    for ((x, y), z) in both.zip(steps(z_ptr, len)) {
        store(z, add(load(x), load(y).map(|lanes| a * lanes)));
    }
}

/// The array at this address.
fn steps<'a>(ptr: usize, len: usize) -> &'a [[Cell<f32x4>; WIDTH]] {
    // SAFETY: the bench passes part of what `bn_allocate` gave it, aligned and of at least `len` elements, and
    // to each of several threads another one. Any bits are a float, and cells may alias.
    unsafe { core::slice::from_raw_parts(ptr as *const _, len / (4 * WIDTH)) }
}

fn load(from: &[Cell<f32x4>; WIDTH]) -> Step {
    from.each_ref().map(Cell::get)
}

fn store(to: &[Cell<f32x4>; WIDTH], lanes: Step) {
    to.iter().zip(lanes).for_each(|(cell, lanes)| cell.set(lanes));
}

fn add(x: Step, y: Step) -> Step {
    array::from_fn(|index| x[index].add(y[index]))
}

fn total(sums: Step) -> f32 {
    sums.iter().flat_map(|lanes| lanes.to_array()).sum()
}
