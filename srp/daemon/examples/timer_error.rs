//! How late a deadline of the chassis thread is: its alarm beside the time-out of `epoll_wait`, in a quiet process and
//! with busy loops beside it.
//!
//! `cargo run --release -p srpd --example timer_error [-- SECONDS]`; as root, or without real-time priority.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Events, Poll, Token};
use srp_core::types::{Span, Time};
use srpd::alarm::Alarm;
use srpd::{clock, realtime};

/// Deadlines are as far apart as Hellos of 10 ms, and never a whole number of milliseconds.
const APART: Span = Span(10_370);

/// Loops beside the timers, on two cores.
const LOOPS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Timer {
    /// As it was: milliseconds, rounded up.
    TimeOut,
    /// As it is.
    Alarm,
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10);
    let count = seconds * 1_000_000 / APART.0;
    println!("{count} deadlines each, {} us apart; lateness in microseconds", APART.0);
    println!("{:<12} {:<8} {:>8} {:>8} {:>8}", "timer", "beside", "p50", "p99", "worst");
    for loops in [0, LOOPS] {
        let load = Load::of(loops);
        for timer in [Timer::TimeOut, Timer::Alarm] {
            let measured = std::thread::spawn(move || {
                realtime::enter();
                late(timer, count)
            });
            let mut late = measured.join().expect("the timer thread ends").expect("epoll and timers");
            late.sort_unstable();
            let at = |percent: usize| late[(late.len() - 1) * percent / 100].0;
            let beside = if loops == 0 { "nothing".into() } else { format!("{loops} loops") };
            let name = format!("{timer:?}");
            println!("{name:<12} {beside:<8} {:>8} {:>8} {:>8}", at(50), at(99), at(100));
        }
        load.end();
    }
}

/// How late each deadline was.
fn late(timer: Timer, count: u64) -> std::io::Result<Vec<Span>> {
    let mut poll = Poll::new()?;
    let mut alarm = Alarm::new(poll.registry(), Token(1))?;
    let mut events = Events::with_capacity(8);
    let begin = clock::now();
    (1..=count)
        .map(|number| {
            let deadline = begin + APART.times(number);
            wait(timer, &mut poll, &mut alarm, &mut events, deadline)?;
            Ok(clock::now().since(deadline))
        })
        .collect()
}

fn wait(
    timer: Timer,
    poll: &mut Poll,
    alarm: &mut Alarm,
    events: &mut Events,
    until: Time,
) -> std::io::Result<()> {
    while clock::now() < until {
        match timer {
            Timer::TimeOut => poll.poll(events, Some(Duration::from(until.since(clock::now()))))?,
            Timer::Alarm => {
                alarm.set(until)?;
                poll.poll(events, None)?;
                for event in &*events {
                    alarm.is_rung_by(event.token());
                }
            }
        }
    }
    Ok(())
}

/// Threads that do nothing, as fast as they can.
struct Load {
    on: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn of(loops: usize) -> Self {
        let on = Arc::new(AtomicBool::new(true));
        let spin = |on: Arc<AtomicBool>| {
            std::thread::spawn(move || {
                while on.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        Self { threads: (0..loops).map(|_| spin(Arc::clone(&on))).collect(), on }
    }

    fn end(self) {
        self.on.store(false, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join(); // it only counts
        }
    }
}
