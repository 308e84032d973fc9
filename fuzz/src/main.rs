//! Feeds octets that nobody would send to the decoders and to the session of the BGP speaker, for as long as it is told.
//!
//! ```text
//! cargo run -p fuzz -- [TARGET|all] [SECONDS] [SEED]        all targets for 30 s each, by default
//! ```
//!
//! Runs on stable Rust: inputs are mutations of good messages ([`mutate`]), not guided by coverage. The same seed gives
//! the same inputs. A target that panics is a finding: its input is printed in hexadecimal, and belongs into a test with
//! a name.

mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mutate::Random;
use targets::{TARGETS, Target};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "all".into());
    let seconds = arguments.next().map_or(Ok(30), |text| text.parse());
    let seed = arguments.next().map_or_else(|| Ok(from_the_clock()), |text| text.parse());
    let (Ok(seconds), Ok(seed)) = (seconds, seed) else {
        eprintln!("usage: fuzz [TARGET|all] [SECONDS] [SEED]: seconds and seed are whole numbers");
        return ExitCode::from(2);
    };
    let chosen: Vec<_> = TARGETS.iter().filter(|target| name == "all" || target.name == name).collect();
    if chosen.is_empty() {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("no target {name:?}: use all, or one of {}", names.join(", "));
        return ExitCode::from(2);
    }
    let mut code = ExitCode::SUCCESS;
    for target in chosen {
        match run(target, seed, Duration::from_secs(seconds)) {
            Ok(inputs) => println!("{}: {inputs} inputs, seed {seed}, no finding", target.name),
            Err(input) => {
                println!("{}: FINDING, seed {seed}, input {}", target.name, hexadecimal(&input));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// How many inputs went well, or the one that did not.
fn run(target: &Target, seed: u64, time: Duration) -> Result<u64, Vec<u8>> {
    let mut random = Random::new(seed);
    let seeds = (target.seeds)();
    let end = Instant::now() + time;
    let mut inputs = 0;
    while Instant::now() < end {
        for _ in 0..256 {
            let input = mutate::input(&mut random, &seeds);
            if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
                return Err(input);
            }
            inputs += 1;
        }
    }
    Ok(inputs)
}

fn from_the_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos() % u128::from(u64::MAX)).unwrap_or_default()
}

fn hexadecimal(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_takes_its_own_seeds_and_a_second_of_mutations() {
        for target in TARGETS {
            for seed in (target.seeds)() {
                (target.run)(&seed);
            }
            assert_eq!(run(target, 1, Duration::from_secs(1)).map(|_| ()), Ok(()), "{}", target.name);
        }
    }
}
