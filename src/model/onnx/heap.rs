//! What loading a network leaves on the heap.
#![allow(unsafe_code)]

/// Gives the memory that is free back to the system. The way from ONNX to a plan takes several times
/// what the plan keeps, and an allocator holds on to that for as long as the process lives.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointer, and any thread may call it at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
