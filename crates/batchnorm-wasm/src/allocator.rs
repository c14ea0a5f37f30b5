//! The allocator: free blocks in the order of their addresses, of which the first that is long enough is taken.
//!
//! Users keep few and large arrays, so the walk is short. A block is a number of cache lines, and whoever frees it
//! knows its length: so it needs no header, and a free one holds its own link.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::memory_grow;
use core::cell::Cell;

/// Blocks begin and end at multiples of this, in bytes.
const LINE: usize = 64;
/// What the memory grows by, in bytes.
const PAGE: usize = 1 << 16;
/// The address of no block.
const NONE: usize = 0;

/// What lies at the begin of a free block.
#[derive(Clone, Copy)]
struct Free {
    bytes: usize,
    /// The address of the one after it.
    next: usize,
}

/// The free blocks, of which no two touch.
pub struct FreeList {
    first: Cell<usize>,
}

// SAFETY: an instance of this module runs on one thread.
unsafe impl Sync for FreeList {}

impl FreeList {
    /// Without a block: the memory grows for the first.
    pub const fn new() -> Self {
        Self { first: Cell::new(NONE) }
    }

    /// The address of a block, or none.
    fn take(&self, bytes: usize) -> usize {
        let (mut before, mut at) = (NONE, self.first.get());
        while at != NONE {
            let free = read(at);
            if free.bytes >= bytes {
                let rest = free.bytes - bytes;
                if rest == 0 {
                    self.link(before, free.next);
                } else {
                    write(at + bytes, Free { bytes: rest, next: free.next });
                    self.link(before, at + bytes);
                }
                return at;
            }
            (before, at) = (at, free.next);
        }
        NONE
    }

    /// Takes a block back, and joins it to its neighbours.
    fn give(&self, at: usize, bytes: usize) {
        let (mut before, mut next) = (NONE, self.first.get());
        while next != NONE && next < at {
            (before, next) = (next, read(next).next);
        }
        let mut free = Free { bytes, next };
        // The end of the last page of all is address 0 again.
        if next != NONE && at.wrapping_add(bytes) == next {
            let after = read(next);
            free = Free { bytes: bytes + after.bytes, next: after.next };
        }
        if before != NONE {
            let neighbour = read(before);
            if before + neighbour.bytes == at {
                write(before, Free { bytes: neighbour.bytes + free.bytes, next: free.next });
                return;
            }
        }
        write(at, free);
        self.link(before, at);
    }

    /// Has the block `before`, or the list where there is none, go on with `next`.
    fn link(&self, before: usize, next: usize) {
        if before == NONE {
            self.first.set(next);
        } else {
            write(before, Free { next, ..read(before) });
        }
    }
}

// SAFETY: blocks are disjoint, since one is taken out of the list before it is given away; they lie at multiples of
// LINE, above which no alignment is served; and `lines` bytes of them are at least as many as asked for.
unsafe impl GlobalAlloc for FreeList {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let bytes = lines(layout);
        if layout.align() > LINE {
            return core::ptr::null_mut();
        }
        let at = self.take(bytes);
        if at != NONE {
            return at as *mut u8;
        }
        let pages = bytes.div_ceil(PAGE);
        let end = memory_grow::<0>(pages);
        if end == usize::MAX {
            return core::ptr::null_mut();
        }
        self.give(end * PAGE, pages * PAGE);
        self.take(bytes) as *mut u8
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        self.give(ptr as usize, lines(layout));
    }
}

/// The bytes of a block for it.
fn lines(layout: Layout) -> usize {
    layout.size().next_multiple_of(LINE)
}

fn read(at: usize) -> Free {
    // SAFETY: `at` is the address of a block in the list, which `write` has begun, or of one just linked to.
    unsafe { *(at as *const Free) }
}

fn write(at: usize, free: Free) {
    // SAFETY: `at` is the begin of a block that nobody uses: aligned to LINE, and at least that long.
    unsafe { *(at as *mut Free) = free }
}
