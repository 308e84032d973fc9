//! Feeds octets that nobody would send to every decoder, and to the session of the BGP speaker, for as long as it is told.
//!
//! ```text
//! cargo run -p fuzz -- [TARGET|all] [SECONDS] [SEED]        each target for 30 s, by default, as many at once as there are cores
//! cargo run -p fuzz -- grow [TARGET|all] [SECONDS] [SEED]   the same, and what led to something new is kept in corpus/
//! fuzz/grow [TARGET|all] [SECONDS] [SEED]                   the same, guided by coverage: a night is `fuzz/grow all 3600`
//! ```
//!
//! Runs on stable Rust: inputs are mutations ([`mutate`]) of good messages, of what is kept ([`corpus`]), and of what led
//! to something new in this run ([`feedback`]). The same seed gives the same inputs. A target that panics is a finding: its
//! input is printed in hexadecimal, and belongs into a test with a name.
//!
//! cargo-fuzz and bolero's libFuzzer need a nightly compiler; afl and honggfuzz need a C toolchain of their own at run time.
//! What the decoders here need of them, feedback by coverage, is [`coverage`].

mod corpus;
#[cfg(feature = "coverage")]
mod coverage;
mod feedback;
mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread::available_parallelism;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use feedback::Features;
use targets::Target;

/// Inputs of this run that are mutated again; a target that finds more does not know what is new.
const MOST_SEEDS: usize = 4096;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let grow = arguments.next_if(|word| word == "grow").is_some();
    let name = arguments.next().unwrap_or_else(|| "all".into());
    let seconds = arguments.next().map_or(Ok(30), |text| text.parse());
    let seed = arguments.next().map_or_else(|| Ok(from_the_clock()), |text| text.parse());
    let (Ok(seconds), Ok(seed)) = (seconds, seed) else {
        eprintln!("usage: fuzz [grow] [TARGET|all] [SECONDS] [SEED]: seconds and seed are whole numbers");
        return ExitCode::from(2);
    };
    let all = targets::all();
    let chosen: Vec<_> = all.iter().filter(|target| name == "all" || target.name == name).collect();
    if chosen.is_empty() {
        let names: Vec<_> = all.iter().map(|target| target.name).collect();
        eprintln!("no target {name:?}: use all, or one of {}", names.join(", "));
        return ExitCode::from(2);
    }
    let work = Mutex::new(chosen.into_iter());
    let next = || work.lock().map(|mut work| work.next()).unwrap_or_default();
    // The counters of coverage are those of all threads.
    let threads = if cfg!(feature = "coverage") { 1 } else { available_parallelism().map_or(1, Into::into) };
    let work = || {
        let mut good = true;
        while let Some(target) = next() {
            good &= report(target, seed, Duration::from_secs(seconds), grow);
        }
        good
    };
    let good = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // All of them, not those until the first that found something.
        let ends: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap_or(false)).collect();
        ends.into_iter().all(|good| good)
    });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a target and says how it went. False for a finding.
fn report(target: &Target, seed: u64, time: Duration, grow: bool) -> bool {
    let name = target.name;
    match run(target, seed, time) {
        Ok(Ran { inputs, features, found }) => {
            let met = features.len();
            println!("{name}: {inputs} inputs, seed {seed}, met {met}, {} led on, no finding", found.len());
            let saved = if grow { keep(target, found) } else { Ok(()) };
            saved.inspect_err(|error| eprintln!("{name}: the corpus is not kept: {error}")).is_ok()
        }
        Err(Stopped::Finding(input)) => {
            println!("{name}: FINDING, seed {seed}, input {}", corpus::hexadecimal(&input));
            false
        }
        Err(Stopped::Corpus(error)) => {
            eprintln!("{name}: the corpus cannot be read: {error}");
            false
        }
    }
}

fn keep(target: &Target, found: Vec<Vec<u8>>) -> std::io::Result<()> {
    let mut inputs = corpus::load(target)?;
    inputs.extend(found);
    let kept = corpus::save(target, inputs)?;
    println!("{}: {kept} inputs are kept", target.name);
    Ok(())
}

/// A run without a finding.
struct Ran {
    inputs: u64,
    features: Features,
    /// Inputs that led to something new.
    found: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Stopped {
    /// This input broke a promise.
    Finding(Vec<u8>),
    Corpus(std::io::Error),
}

fn run(target: &Target, seed: u64, time: Duration) -> Result<Ran, Stopped> {
    let mut random = Rng::with_seed(seed);
    let mut ran = Ran { inputs: 0, features: Features::default(), found: Vec::new() };
    let mut seeds = (target.seeds)();
    seeds.extend(corpus::load(target).map_err(Stopped::Corpus)?);
    for seed in &seeds {
        try_one(target, seed, &mut ran.features)?;
    }
    ran.features.take_new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        for _ in 0..256 {
            let input = mutate::input(&mut random, &seeds);
            try_one(target, &input, &mut ran.features)?;
            ran.inputs += 1;
            if ran.features.take_new() && ran.found.len() < MOST_SEEDS {
                seeds.push(input.clone());
                ran.found.push(input);
            }
        }
    }
    Ok(ran)
}

fn try_one(target: &Target, input: &[u8], features: &mut Features) -> Result<(), Stopped> {
    #[cfg(feature = "coverage")]
    let run = |features: &mut Features| coverage::observe(features, |features| (target.run)(input, features));
    #[cfg(not(feature = "coverage"))]
    let run = |features: &mut Features| (target.run)(input, features);
    catch_unwind(AssertUnwindSafe(|| run(features))).map_err(|_| Stopped::Finding(input.to_vec()))
}

fn from_the_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos() % u128::from(u64::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_takes_its_seeds_its_corpus_and_a_second_of_mutations() {
        std::thread::scope(|scope| {
            for target in targets::all() {
                scope.spawn(move || {
                    let ran = run(&target, 1, Duration::from_secs(1));
                    assert!(ran.is_ok_and(|ran| ran.inputs > 0), "{}", target.name);
                });
            }
        });
    }

    #[test]
    fn corpus_leads_further_than_the_seeds_alone() {
        for target in targets::all() {
            let kept = corpus::load(&target).expect("the corpus is there");
            let mut features = Features::default();
            for seed in (target.seeds)() {
                (target.run)(&seed, &mut features);
            }
            features.take_new();
            for input in &kept {
                (target.run)(input, &mut features);
            }
            assert!(features.take_new(), "{}: its {} inputs teach nothing", target.name, kept.len());
        }
    }
}
