//! Which code an input runs, on stable Rust: with `-Cinstrument-coverage` the compiler keeps a counter for each piece of
//! code, and its runtime says where they are. `fuzz/grow` builds it so.

use crate::feedback::Features;

unsafe extern "C" {
    /// The first counter (compiler-rt, `InstrProfiling.h`).
    fn __llvm_profile_begin_counters() -> *mut u64;
    /// Behind the last one.
    fn __llvm_profile_end_counters() -> *mut u64;
}

/// Runs the body, and takes every piece of code that it runs for a feature. For one thread: the counters are everybody's.
pub fn observe<T>(features: &mut Features, body: impl FnOnce(&mut Features) -> T) -> T {
    let (begin, end) = {
        // SAFETY: both only return an address, and have no precondition.
        unsafe { (__llvm_profile_begin_counters(), __llvm_profile_end_counters()) }
    };
    let count = (end.addr() - begin.addr()) / size_of::<u64>();
    let counter = |index: usize| begin.wrapping_add(index);
    for index in 0..count {
        // SAFETY: it is one of the counters, which live as long as the program; no other thread runs.
        unsafe { counter(index).write_volatile(0) };
    }
    let result = body(features);
    for index in 0..count {
        // SAFETY: as above.
        if unsafe { counter(index).read_volatile() } != 0 {
            features.meet(("code", index));
        }
    }
    result
}
