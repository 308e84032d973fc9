//! The comparison of both chassis' configurations: again at an interval, and when an operator asks.
//!
//! Each Hello carries a digest, so that a difference is known at once; what differs is known from the items, which go to the
//! peer with each new link, reload and `srp.configuration-interval`, and its own come back at its times.

use std::sync::Arc;
use std::time::Duration;

use srp_core::api::Check;

use crate::answer::Answers;
use crate::inbox::{Input, Snapshot};

/// Sends our items to the peer at each interval, for as long as the chassis thread lives.
pub async fn repeat(answers: Arc<Answers>) {
    loop {
        // A reloaded interval counts from the next comparison on.
        let interval = Duration::from(answers.config().srp.configuration_interval);
        tokio::time::sleep(interval).await;
        if answers.inbox.send(Input::CompareConfiguration).is_err() {
            return;
        }
    }
}

/// `srp validate-configuration`: what the pair knows of each other, one check for each difference.
pub fn checks(snapshot: &Snapshot) -> Vec<Check> {
    let check =
        |name: &str, passed, detail: &str| Check { name: name.to_owned(), passed, detail: detail.to_owned() };
    if snapshot.security.is_none() {
        return vec![check("SRP link", false, "not connected: the peer's configuration is not known")];
    }
    let differences = snapshot.differences.as_deref();
    match (snapshot.chassis.config_in_sync(), differences) {
        (Some(true), _) => vec![check("Configuration", true, "the same on both chassis")],
        (_, None | Some([])) => {
            vec![check("Configuration", false, "the peer has not said yet what it has: try again")]
        }
        (_, Some(lines)) => lines.iter().map(|line| check("Configuration", false, line)).collect(),
    }
}

/// The result in one line, as `show srp info` keeps it.
pub fn status(checks: &[Check]) -> String {
    match checks.iter().filter(|check| !check.passed).count() {
        0 => "Success".to_owned(),
        failed => format!("Failed ({failed} differences)"),
    }
}
