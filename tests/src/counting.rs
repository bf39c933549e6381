//! An allocator that counts, for tests about what allocates nothing.
//!
//! A test program makes it its own: `#[global_allocator] static ALLOCATOR: Counting = Counting;`
#![allow(unsafe_code, reason = "a global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, and a count for each thread.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static SHOWN: Cell<Option<&'static AtomicUsize>> = const { Cell::new(None) };
}

/// How often this thread has allocated; 0 in a program with another allocator.
#[must_use]
pub fn allocations() -> usize {
    COUNT.get()
}

/// From now on `count` goes up with each allocation of this thread, for others to see.
pub fn show_allocations(count: &'static AtomicUsize) {
    SHOWN.set(Some(count));
}

fn note() {
    // A thread that is ending has no counter any more, and nobody who looks at it.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    if let Ok(Some(count)) = SHOWN.try_with(Cell::get) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's promises are the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
