//! Answers of srpd as text. Pure: the present time is an argument.
//!
//! Labels are those that operators' scripts look for (`Chassis State:`, `Peer State:`, `Last Validate Switchover
//! Status:`); tables have a header line and columns that line up.

mod bgp;
mod configuration;
mod details;
mod events;
mod info;
mod interfaces;
mod monitor;
mod neighbors;
mod probes;
mod routes;
mod statistics;
mod switchover;
pub mod table;
pub mod time;
mod validation;

pub use time::wall;

use serde::Serialize;
use srp_core::api::{Configuration, PostProcessTerminated, Response};

/// Which of its forms an answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The only one, or the short one.
    Plain,
    /// Switchovers step by step.
    Timeline,
    /// Events as a history of traps, with all there is to each if `verbose`.
    Traps {
        /// All of it.
        verbose: bool,
    },
    /// Monitors of one kind, or of all.
    Monitors(Option<&'static str>),
    /// Checks of a configuration, not of a switchover.
    Comparison,
    /// With what only those want who look for a fault.
    Debug,
    /// A line each.
    Summary,
    /// Counters alone.
    Counters,
    /// Links as ports, not as interfaces.
    Ports,
}

/// The answer for people. `now_us` is wall time, microseconds since 1970 UTC.
pub fn text(response: &Response, view: View, now_us: u64) -> String {
    match response {
        Response::SrpInfo(info) => info::info(info, now_us),
        Response::SrpStatistics(statistics) => statistics::statistics(statistics, now_us),
        Response::SrpDetails(details) => details::details(details, now_us),
        Response::Monitors(monitors) => {
            let kind = if let View::Monitors(kind) = view { kind } else { None };
            monitor::monitors(monitors, kind, now_us)
        }
        Response::AuthServers(servers) => probes::servers(servers, now_us),
        Response::DiameterPeers(peers) => probes::peers(peers, view == View::Debug, now_us),
        Response::BgpSummary(contexts) => bgp::summary(contexts, now_us),
        Response::BgpNeighbors(all) => neighbors::neighbors(all, now_us),
        Response::BgpRoutes(tables) => routes::tables(tables),
        Response::BgpAdvertised(neighbors) => routes::advertised(neighbors),
        Response::BgpCleared(cleared) => {
            format!("Cleared in context {}.\n", clean(&cleared.contexts.join(", ")))
        }
        Response::BgpDumped(dumped) => {
            format!("Written: {}, {} octets.\n", clean(&dumped.file.display().to_string()), dumped.octets)
        }
        Response::Interfaces(all) => match view {
            View::Summary => interfaces::summary(all),
            View::Counters => interfaces::counters(all),
            View::Ports => interfaces::ports(all),
            View::Plain
            | View::Debug
            | View::Timeline
            | View::Traps { .. }
            | View::Monitors(_)
            | View::Comparison => interfaces::interfaces(all),
        },
        Response::Switchovers(all) if view == View::Timeline => switchover::timelines(all),
        Response::Switchovers(all) => switchover::list(all),
        Response::Events(all) => match view {
            View::Traps { verbose } => events::traps(all, verbose),
            View::Plain
            | View::Debug
            | View::Timeline
            | View::Monitors(_)
            | View::Comparison
            | View::Summary
            | View::Counters
            | View::Ports => events::events(all),
        },
        Response::Configuration(Configuration { text, differences, file: _ }) => {
            configuration::configuration(text, differences.as_deref())
        }
        Response::SwitchoverDone(done) => format!("Switchover done in {:.3} ms.\n", done.took_ms),
        Response::Validation(validation) if view == View::Comparison => validation::checks(validation),
        Response::Validation(validation) => validation::validation(validation),
        Response::Reloaded(reloaded) => table::indented("", reloaded.changes.iter().cloned()),
        Response::PostProcessTerminated(ended) => post_process(*ended).into(),
        Response::MonitorReset(reset) => monitor::reset(*reset).into(),
        // The reasons go to standard error.
        Response::Error { reasons: _ } => String::new(),
    }
}

/// The body of the answer as JSON.
pub fn json(response: &Response) -> String {
    match response {
        Response::SrpInfo(info) => pretty(info),
        Response::Monitors(monitors) => pretty(monitors),
        Response::AuthServers(servers) => pretty(servers),
        Response::DiameterPeers(peers) => pretty(peers),
        Response::BgpSummary(contexts) => pretty(contexts),
        Response::BgpNeighbors(all) => pretty(all),
        Response::BgpRoutes(tables) => pretty(tables),
        Response::BgpAdvertised(neighbors) => pretty(neighbors),
        Response::BgpCleared(cleared) => pretty(cleared),
        Response::BgpDumped(dumped) => pretty(dumped),
        Response::Interfaces(all) => pretty(all),
        Response::Switchovers(switchovers) => pretty(switchovers),
        Response::Events(all) => pretty(all),
        Response::SrpStatistics(statistics) => pretty(statistics),
        Response::SrpDetails(details) => pretty(details),
        Response::Configuration(configuration) => pretty(configuration),
        Response::Reloaded(reloaded) => pretty(reloaded),
        Response::SwitchoverDone(done) => pretty(done),
        Response::PostProcessTerminated(ended) => pretty(ended),
        Response::MonitorReset(reset) => pretty(reset),
        Response::Validation(validation) => pretty(validation),
        Response::Error { reasons } => pretty(&serde_json::json!({ "reasons": reasons })),
    }
}

/// One line that a terminal shows as it is: some texts come from other machines (a NOTIFICATION, the peer's release).
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn post_process(ended: PostProcessTerminated) -> &'static str {
    match ended {
        PostProcessTerminated { here: true, peer: false } => {
            "This chassis no longer forwards for routers that have not turned away.\n"
        }
        PostProcessTerminated { here: false, .. } => {
            "The Standby was told to end its post-switchover processing.\n"
        }
        PostProcessTerminated { here: true, peer: true } => {
            "Post-switchover processing ended here, and the Standby was told to end its own.\n"
        }
    }
}

/// Any answer as JSON.
pub fn pretty<T: Serialize>(body: &T) -> String {
    // These types have no maps with keys that are not text and no serializer that fails.
    serde_json::to_string_pretty(body).map(|text| text + "\n").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use srp_core::api::SwitchoverDone;

    use super::*;

    #[test]
    fn json_is_the_body_alone() {
        assert_eq!(
            json(&Response::SwitchoverDone(SwitchoverDone { took_ms: 12.5 })),
            "{\n  \"took_ms\": 12.5\n}\n"
        );
        let refused = Response::Error { reasons: vec!["the peer is down".into()] };
        assert_eq!(json(&refused), "{\n  \"reasons\": [\n    \"the peer is down\"\n  ]\n}\n");
        assert_eq!(json(&Response::BgpSummary(Vec::new())), "[]\n");
    }

    #[test]
    fn what_other_machines_say_cannot_steer_the_terminal() {
        assert_eq!(clean("bye\u{1b}[2J\n"), "bye?[2J?");
    }

    #[test]
    fn short_answers_are_one_line() {
        let done = Response::SwitchoverDone(SwitchoverDone { took_ms: 12.34567 });
        assert_eq!(text(&done, View::Plain, 0), "Switchover done in 12.346 ms.\n");
        let none = Response::Switchovers(Vec::new());
        assert_eq!(text(&none, View::Timeline, 0), "No switchover since srpd started.\n");
    }
}
