//! What real-time threads call allocates nothing.

mod frontend_no_alloc;
mod ring_no_alloc;

use assert_no_alloc::AllocDisabler;

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;
