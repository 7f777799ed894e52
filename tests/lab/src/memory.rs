//! The memory of this process, counted.

/// Tells how much memory a step took at most; the embedded engine has an allocator of its own.
#[global_allocator]
pub static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
