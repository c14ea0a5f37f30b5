//! The exports of `batchnorm` to WebAssembly.
//!
//! JavaScript sees a few places in linear memory, whose addresses are exports: the *view* (sizes of
//! axes in, the view out), the *call* (what lies where: [`call::Call`]), the *channels* (a few f64
//! per channel: [`call::ChannelTable`]) and the staging buffers. It writes there, calls an export,
//! and reads what it needs. Nothing allocates but `bn_allocate`, so views of the memory stay valid
//! across all other calls.
//!
//! Arguments are trusted here: the TypeScript side has judged them.
#![cfg_attr(target_family = "wasm", no_std)]
// Each thread's own workspaces. It is not stable, but the standard library's macro needs the standard library.
#![cfg_attr(feature = "threads", feature(thread_local))]

extern crate alloc;

#[cfg(target_family = "wasm")]
mod allocator;
pub mod call;
pub mod exports;
pub mod memory;
pub mod reductions;
#[cfg(feature = "threads")]
pub mod threads;
#[cfg(feature = "yardstick")]
pub mod yardstick;

#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: allocator::FreeList = allocator::FreeList::new();

#[cfg(target_family = "wasm")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
