//! `show srp details`: every answer of `show` under its command.

use srp_core::api::SrpDetails;

use super::time::wall;
use super::{bgp, configuration, info, monitor, statistics, switchover};

pub fn details(details: &SrpDetails, now_us: u64) -> String {
    let configuration = &details.configuration;
    let sections = [
        ("show srp info", info::info(&details.info, now_us)),
        ("show srp statistics", statistics::statistics(&details.statistics, now_us)),
        ("show srp monitor", monitor::monitors(&details.monitors, None, now_us)),
        ("show ip bgp summary", bgp::summary(&details.bgp, now_us)),
        ("show switchover all", switchover::list(&details.switchovers)),
        ("show switchover, step by step", switchover::timelines(&details.switchovers)),
        (
            "show configuration srp",
            configuration::configuration(&configuration.text, configuration.differences.as_deref()),
        ),
    ];
    let text = sections.map(|(command, text)| format!("===== {command} =====\n{text}"));
    format!("Details of {}\n\n{}", wall(details.at_us), text.join("\n"))
}
