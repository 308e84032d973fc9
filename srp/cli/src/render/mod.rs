//! Answers of srpd as text. Pure: the present time is an argument.
//!
//! Labels are those that operators' scripts look for (`Chassis State:`, `Peer State:`, `Last Validate Switchover
//! Status:`); tables have a header line and columns that line up.

mod bgp;
mod configuration;
mod info;
mod monitor;
mod switchover;
mod table;
mod time;
mod validation;

use serde::Serialize;
use srp_core::api::Response;

/// Which of its forms an answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The only one, or the short one.
    Plain,
    /// Switchovers step by step.
    Timeline,
}

/// The answer for people. `now_us` is wall time, microseconds since 1970 UTC.
pub fn text(response: &Response, view: View, now_us: u64) -> String {
    match response {
        Response::SrpInfo(info) => info::info(info, now_us),
        Response::Monitors(monitors) => monitor::monitors(monitors, now_us),
        Response::BgpSummary(contexts) => bgp::summary(contexts, now_us),
        Response::Switchovers(all) if all.is_empty() => "No switchover since srpd started.\n".into(),
        Response::Switchovers(all) => match view {
            View::Plain => switchover::list(all),
            View::Timeline => all.iter().map(switchover::timeline).collect::<Vec<_>>().join("\n"),
        },
        Response::Configuration { text, differences } => {
            configuration::configuration(text, differences.as_deref())
        }
        Response::SwitchoverDone { took_ms } => format!("Switchover done in {took_ms:.3} ms.\n"),
        Response::Validation(validation) => validation::validation(validation),
        // The reasons go to standard error.
        Response::Error { reasons: _ } => String::new(),
    }
}

/// The body of the answer as JSON.
pub fn json(response: &Response) -> String {
    match response {
        Response::SrpInfo(info) => pretty(info),
        Response::Monitors(monitors) => pretty(monitors),
        Response::BgpSummary(contexts) => pretty(contexts),
        Response::Switchovers(switchovers) => pretty(switchovers),
        Response::Configuration { text, differences } => {
            pretty(&serde_json::json!({ "text": text, "differences": differences }))
        }
        Response::SwitchoverDone { took_ms } => pretty(&serde_json::json!({ "took_ms": took_ms })),
        Response::Validation(validation) => pretty(validation),
        Response::Error { reasons } => pretty(&serde_json::json!({ "reasons": reasons })),
    }
}

/// One line that a terminal shows as it is: some texts come from other machines (a NOTIFICATION, the peer's release).
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn pretty<T: Serialize>(body: &T) -> String {
    // These types have no maps with keys that are not text and no serializer that fails.
    serde_json::to_string_pretty(body).map(|text| text + "\n").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_body_alone() {
        assert_eq!(json(&Response::SwitchoverDone { took_ms: 12.5 }), "{\n  \"took_ms\": 12.5\n}\n");
        let refused = Response::Error { reasons: vec!["the peer is down".into()] };
        assert_eq!(json(&refused), "{\n  \"reasons\": [\n    \"the peer is down\"\n  ]\n}\n");
        assert_eq!(json(&Response::Monitors(Vec::new())), "[]\n");
    }

    #[test]
    fn what_other_machines_say_cannot_steer_the_terminal() {
        assert_eq!(clean("bye\u{1b}[2J\n"), "bye?[2J?");
    }

    #[test]
    fn short_answers_are_one_line() {
        let done = Response::SwitchoverDone { took_ms: 12.34567 };
        assert_eq!(text(&done, View::Plain, 0), "Switchover done in 12.346 ms.\n");
        let none = Response::Switchovers(Vec::new());
        assert_eq!(text(&none, View::Timeline, 0), "No switchover since srpd started.\n");
    }
}
