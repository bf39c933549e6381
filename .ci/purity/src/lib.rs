//! A program without a standard library on top of `cocaine-core`.
//!
//! It brings its own panic handler and allocator. If anything below it linked `std`, there would be two
//! panic handlers, and this would not compile. Nobody runs it.
#![no_std]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

use cocaine_core::time::Timestamp;

struct NoMemory;

// SAFETY: it never hands out memory, which an allocator may always do.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Something of the core, so that it is really linked.
#[unsafe(no_mangle)]
pub extern "C" fn micros() -> u64 {
    Timestamp::from_secs(1).as_micros()
}
