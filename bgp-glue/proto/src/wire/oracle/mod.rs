//! Our codec against another one: `rustbgpd-wire`, which was written from the same RFCs by someone else.
//!
//! What one writes, the other has to read as the same values, both ways; of octets that neither wrote, both have to
//! make the same. Where they do not, an RFC decides, and the difference stands in [`differences`] by name. The
//! generators begin at a fixed point, so that every run compares the same messages.

#[path = "../../../tests/cases/mod.rs"]
#[expect(dead_code, reason = "what is due is for the tests of one codec: two are compared here")]
mod cases;
mod differences;
mod messages;
mod translate;
mod updates;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Runs the same cases each time.
fn runner(cases: u32) -> TestRunner {
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}
