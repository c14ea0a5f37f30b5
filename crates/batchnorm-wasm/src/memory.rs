//! The places that JavaScript sees, and the user's allocations.

use crate::call::{Call, ChannelTable};
use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use batchnorm::view::{Blocking, TILE, View};
use core::cell::UnsafeCell;
use wasm_bindgen::prelude::wasm_bindgen;

/// How many staging buffers there are.
const BUFFERS: usize = 4;
/// Bytes of each of them.
const STAGING: usize = 1 << 19;
/// Alignment of allocations and staging, in bytes: a cache line.
const ALIGNMENT: usize = 64;
/// Most axes that an array may have.
const MAX_RANK: usize = 32;

/// A static that one thread at a time uses.
pub struct Place<T>(UnsafeCell<T>);

// SAFETY: no export calls another, and an instance of this module runs on one thread. Where instances share a
// memory, each has its own workspaces, and the other places are opened by the calling thread alone (threads.rs).
unsafe impl<T> Sync for Place<T> {}

impl<T> Place<T> {
    /// Holding this.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Where it lies.
    pub fn address(&self) -> *mut T {
        self.0.get()
    }

    /// The value, as several threads read it while none writes.
    #[cfg(feature = "threads")]
    pub fn shared(&self) -> &T {
        // SAFETY: it is written between jobs alone, and read by who holds a unit of one (threads.rs).
        unsafe { &*self.0.get() }
    }

    /// The value, for the length of one export's run.
    #[expect(clippy::mut_from_ref, reason = "each export borrows each place once")]
    pub fn open(&self) -> &mut T {
        // SAFETY: one thread, no export calls another, and each borrows a place once.
        unsafe { &mut *self.0.get() }
    }
}

#[repr(align(64))]
struct Staging {
    // Never read from here: its address is what counts.
    _bytes: [[u8; STAGING]; BUFFERS],
}

/// What lies where in the next call.
pub static CALL: Place<Call> = Place::new(Call::EMPTY);
/// The numbers per channel.
pub static CHANNELS: Place<ChannelTable> = Place::new(ChannelTable::EMPTY);
static VIEW: Place<[f64; MAX_RANK]> = Place::new([0.0; MAX_RANK]);
static STAGED: Place<Staging> = Place::new(Staging { _bytes: [[0; STAGING]; BUFFERS] });

/// Most channels of a piece.
#[wasm_bindgen]
pub fn bn_tile_len() -> usize {
    TILE
}

/// Bytes of each of the staging buffers, which follow each other.
#[wasm_bindgen]
pub fn bn_staging_len() -> usize {
    STAGING
}

/// The staging buffers.
#[wasm_bindgen]
pub fn bn_staging_ptr() -> *mut u8 {
    STAGED.address().cast()
}

/// The call.
#[wasm_bindgen]
pub fn bn_call_ptr() -> *mut u32 {
    CALL.address().cast()
}

/// The numbers per channel.
#[wasm_bindgen]
pub fn bn_channels_ptr() -> *mut f64 {
    CHANNELS.address().cast()
}

/// The sizes of the axes, then the view.
#[wasm_bindgen]
pub fn bn_view_ptr() -> *mut f64 {
    VIEW.address().cast()
}

/// Replaces the sizes of `rank` axes by their view: outer, reduce, channels, inner, packed (0 or 1),
/// then its blocking: copies, rows, blocks. Bit i of `reduced` says that axis i is.
#[wasm_bindgen]
pub fn bn_view(rank: usize, reduced: u32) {
    let numbers = VIEW.open();
    let sizes = &numbers[..rank];
    let axes =
        sizes.iter().enumerate().map(|(axis, &size)| (size as u64, reduced >> axis & 1 == 1));
    let view = View::new(axes);
    let Blocking { copies, rows, blocks } = view.blocking();
    let sizes = [view.outer, view.reduce, view.channels, view.inner, u64::from(view.packed)];
    let blocking = [copies, rows, blocks].map(|count| count as u64);
    for (number, size) in numbers.iter_mut().zip(sizes.into_iter().chain(blocking)) {
        *number = size as f64;
    }
}

/// Zeroed memory for the user, aligned to a cache line; null where there is none. May grow the
/// memory, which detaches all views of it.
#[wasm_bindgen]
pub fn bn_allocate(byte_len: usize) -> *mut u8 {
    match Layout::from_size_align(byte_len.max(1), ALIGNMENT) {
        // SAFETY: the layout is not of size 0.
        Ok(layout) => unsafe { alloc_zeroed(layout) },
        Err(_) => core::ptr::null_mut(),
    }
}

/// Takes back what `bn_allocate` gave.
#[wasm_bindgen]
pub fn bn_free(ptr: usize, byte_len: usize) {
    if let Ok(layout) = Layout::from_size_align(byte_len.max(1), ALIGNMENT) {
        // SAFETY: the TypeScript side frees each allocation once, with its own length.
        unsafe { dealloc(ptr as *mut u8, layout) }
    }
}
