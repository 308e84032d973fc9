//! Many stories at once: every core tells some.

use std::sync::atomic::{AtomicU64, Ordering};

/// What `tell` makes of each number, on every core; a worker begins with `T::default()`, and `merge` joins what they have.
pub fn on_every_core<T: Default + Send>(
    numbers: std::ops::Range<u64>,
    tell: impl Fn(u64, &mut T) + Sync,
    merge: impl Fn(&mut T, T),
) -> T {
    /// Taken by a worker at once: small enough that all end together.
    const BATCH: u64 = 64;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicU64::new(numbers.start);
    let worker = || {
        let mut mine = T::default();
        loop {
            let begin = next.fetch_add(BATCH, Ordering::Relaxed);
            if begin >= numbers.end {
                return mine;
            }
            for number in begin..numbers.end.min(begin + BATCH) {
                tell(number, &mut mine);
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let mut all = T::default();
        for worker in workers {
            merge(&mut all, worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    })
}
