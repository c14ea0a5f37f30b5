//! Batch normalization: the arithmetic.
//!
//! Per channel, over the m elements that are reduced:
//!
//! ```text
//! mean  μ = Σx / m                variance  σ² = Σ(x-μ)² / m            r = 1/√(σ²+ε)
//! y  = (x-μ)·r·γ + β
//! dβ = Σdy                        dγ = r·Σ dy·(x-μ)
//! dx = γ·r·(dy - dβ/m - (x-μ)·r·dγ/m)           with frozen statistics:  dx = γ·r·dy
//! ```
//!
//! So everything is one of two things: a *reduction* of elements to a few f64 numbers per channel
//! ([`moments`], [`gradient`]), or an *affine map* of elements with a few numbers per
//! channel ([`affine`], [`slope`]). Nothing else touches elements.
//!
//! | module | subject |
//! |---|---|
//! | [`view`] | any array and reduced axes as `[outer][reduce][channels][inner]`; blocks and chunks |
//! | [`piece`] | the part of a view that lies in memory and is worked on by one call |
//! | [`block`] | the elements that a reduction sums before it looks at the sums |
//! | [`lanes`] | four lanes of f32 or f64 and the few operations that give the same bits everywhere |
//! | [`vector`] | a register of lanes, as maps take elements |
//! | [`state`] | reductions as states that merge: block into chunk into total |
//! | [`sums`] | the sums of a block in the element type |
//! | [`moments`] | count, mean and m2 of each channel |
//! | [`affine`] | statistics and parameters → center, scale, shift; the formula of y |
//! | [`table`] | the coefficients of a tile's channels |
//! | [`map`] | a formula over all elements of a piece |
//! | [`gradient`] | the two sums of a channel: dβ, dγ |
//! | [`gate`] | which dy count, where there are weights or a residual |
//! | [`slope`] | the formula of dx |
//!
//! Sums have one file for each memory pattern: `columns` (each column of a row has a lane, rows stream by: channels-last,
//! and channels-first where segments are short) and `channels_first` (a channel is a run of contiguous segments).
//!
//! The results hold to bounds that do not depend on the offset of the data (docs/numerics.md), and
//! they are the same bits on every target: no operation is used whose result may differ.
#![no_std]
#![forbid(unsafe_code)]

pub mod affine;
pub mod block;
pub mod gate;
pub mod gradient;
pub mod lanes;
pub mod map;
pub mod moments;
pub mod piece;
pub mod slope;
pub mod state;
pub mod sums;
pub mod table;
pub mod vector;
pub mod view;
