//! What a command line asks srpd: the request, how its answer is shown, and how long it may take.

use std::path::PathBuf;
use std::time::Duration;

use srp_core::api::{ClearBgp, Request};
use srp_core::config::DEFAULT_SOCKET;

use super::{
    Args, Clear, ClearIp, Command, Direction, Dump, Monitor, NeighborRoutes, Show, ShowBgp,
    ShowConfiguration, ShowIp, ShowSrp, Srp, Which, events,
};
use crate::render::View;

impl Args {
    /// The request to srpd and the way to show its answer; `None` for a command that needs no srpd.
    pub fn request(&self) -> Option<(Request, View)> {
        let show = |request| Some((request, View::Plain));
        match &self.command {
            Command::Show { what: Show::Srp { what: ShowSrp::Info } } => show(Request::ShowSrpInfo),
            Command::Show { what: Show::Srp { what: ShowSrp::Statistics } } => {
                show(Request::ShowSrpStatistics)
            }
            Command::Show { what: Show::Srp { what: ShowSrp::Details } } => show(Request::ShowSrpDetails),
            Command::Show { what: Show::Srp { what: ShowSrp::Monitor { which, debug } } } => {
                Some(monitor_request(*which, debug.is_some()))
            }
            Command::Show { what: Show::Ip { what: ShowIp::Bgp { to, what } } } => {
                show(bgp_request(to.clone(), what.as_ref()))
            }
            Command::Show { what: Show::Ip { what: ShowIp::Interface(asked) } } => Some(asked.request()),
            Command::Show { what: Show::Port { what } } => Some(what.request()),
            Command::Clear { what: Clear::Ip { what: ClearIp::Bgp { neighbor, direction, soft: _ } } } => {
                let what = match direction {
                    None => ClearBgp::Session,
                    Some(Direction::In) => ClearBgp::SoftIn,
                    Some(Direction::Out) => ClearBgp::SoftOut,
                };
                show(Request::ClearBgp { neighbor: neighbor.clone(), what })
            }
            Command::Dump { what: Dump::Bgp { context, file } } => {
                // It is srpd that writes, and it works in another folder.
                let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
                show(Request::DumpBgp { context: context.clone(), file })
            }
            Command::Show { what: Show::Switchover { which: Which::Last } } => {
                Some((Request::ShowSwitchover { last: 1 }, View::Timeline))
            }
            Command::Show { what: Show::Switchover { which: Which::All } } => {
                show(Request::ShowSwitchover { last: u32::MAX as usize })
            }
            Command::Show { what: Show::Events { filter } } => show(events::request(filter.as_ref())),
            Command::Show { what: Show::Snmp { what } } => Some(events::traps(what)),
            Command::Show { what: Show::Configuration { what: ShowConfiguration::Srp } } => {
                show(Request::ShowConfiguration)
            }
            Command::Srp { action: Srp::InitiateSwitchover { force } } => {
                show(Request::InitiateSwitchover { force: force.is_some() })
            }
            Command::Srp { action: Srp::ValidateSwitchover } => show(Request::ValidateSwitchover),
            Command::Srp { action: Srp::ValidateConfiguration } => {
                Some((Request::ValidateConfiguration, View::Comparison))
            }
            Command::Srp { action: Srp::TerminatePostProcess } => show(Request::TerminatePostProcess),
            Command::Srp { action: Srp::ResetAuthProbeFail } => show(Request::ResetAuthProbeFail),
            Command::Srp { action: Srp::ResetDiameterFail } => show(Request::ResetDiameterFail),
            Command::Show {
                what: Show::Support { .. } | Show::Boot | Show::Version { .. } | Show::Build,
            }
            | Command::Boot { .. }
            | Command::No { .. }
            | Command::Directory { .. }
            | Command::Copy { .. }
            | Command::Upgrade(_)
            | Command::Filesystem { .. }
            | Command::Reload { .. }
            | Command::Completion { .. }
            | Command::Man { .. }
            | Command::Keygen { .. }
            | Command::Import { .. }
            | Command::Configure { .. }
            | Command::Save { .. } => None,
        }
    }

    /// The socket of the command line, else of the environment, else the default one.
    pub fn socket(&self) -> PathBuf {
        let from_environment = || std::env::var_os("SRP_SOCKET").filter(|path| !path.is_empty());
        let socket = self.socket.clone().or_else(|| from_environment().map(PathBuf::from));
        socket.unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET))
    }

    /// How long srpd may take.
    pub fn time_limit(&self, request: &Request) -> Duration {
        let default = match request {
            // srp.switchover-timeout may be up to 60 s, and the answer comes after it.
            // A reload tells neighbours and asks the kernel, and may wait for a switchover.
            Request::InitiateSwitchover { .. } | Request::Reload => 90,
            // A full table is a second of work and a disk of unknown speed.
            Request::DumpBgp { .. } => 60,
            Request::ShowSrpInfo
            | Request::ShowSrpStatistics
            | Request::ShowSrpDetails
            | Request::ShowSrpMonitor
            | Request::ShowSrpMonitorAuthenticationProbe
            | Request::ShowSrpMonitorDiameter
            | Request::ShowBgpSummary
            | Request::ShowBgpNeighbors { .. }
            | Request::ShowBgpRoutes { .. }
            | Request::ShowBgpReceived { .. }
            | Request::ShowBgpAdvertised { .. }
            | Request::ClearBgp { .. }
            | Request::ShowInterfaces { .. }
            | Request::ShowSwitchover { .. }
            | Request::ShowEvents { .. }
            | Request::ShowConfiguration
            | Request::ValidateSwitchover
            | Request::ValidateConfiguration
            | Request::TerminatePostProcess
            | Request::ResetAuthProbeFail
            | Request::ResetDiameterFail => 10,
        };
        Duration::from_secs(self.timeout.unwrap_or(default))
    }
}

fn monitor_request(which: Monitor, debug: bool) -> (Request, View) {
    let of_kind = |kind| (Request::ShowSrpMonitor, View::Monitors(kind));
    match which {
        Monitor::All => of_kind(None),
        // The kinds as the control API names them.
        Monitor::Bgp => of_kind(Some("BGP")),
        Monitor::Bfd => of_kind(Some("BFD")),
        Monitor::Interface => of_kind(Some("interface")),
        Monitor::AuthenticationProbe => (Request::ShowSrpMonitorAuthenticationProbe, View::Plain),
        Monitor::Diameter if debug => (Request::ShowSrpMonitorDiameter, View::Debug),
        Monitor::Diameter => (Request::ShowSrpMonitorDiameter, View::Plain),
    }
}

fn bgp_request(to: Option<String>, what: Option<&ShowBgp>) -> Request {
    match what {
        None => Request::ShowBgpRoutes { to },
        Some(ShowBgp::Summary) => Request::ShowBgpSummary,
        Some(ShowBgp::Neighbors { neighbor, which }) => {
            let neighbor = neighbor.clone();
            match (neighbor, which) {
                (Some(neighbor), Some(NeighborRoutes::ReceivedRoutes)) => {
                    Request::ShowBgpReceived { neighbor }
                }
                (Some(neighbor), Some(NeighborRoutes::AdvertisedRoutes)) => {
                    Request::ShowBgpAdvertised { neighbor }
                }
                (neighbor, _) => Request::ShowBgpNeighbors { neighbor },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    fn request(line: &str) -> Option<Request> {
        let words = std::iter::once("srpctl").chain(line.split_whitespace());
        Args::try_parse_from(words).ok()?.request().map(|(request, _)| request)
    }

    #[test]
    fn the_grammar_has_no_contradictions() {
        Args::command().debug_assert();
    }

    fn clear(what: ClearBgp) -> Request {
        Request::ClearBgp { neighbor: "10.2.1.2".into(), what }
    }

    fn interfaces(context: Option<&str>, name: Option<&str>) -> Request {
        Request::ShowInterfaces { context: context.map(str::to_owned), name: name.map(str::to_owned) }
    }

    #[test]
    fn a_word_that_is_no_route_is_refused() {
        for line in
            ["show ip bgp sumary", "show ip bgp 10.0.0.0/x", "clear ip bgp", "clear ip bgp 10.2.1.2 soft"]
        {
            assert_eq!(request(line), None, "{line}");
        }
    }

    #[test]
    fn every_public_command_is_a_request() {
        for (line, expected) in [
            ("show srp info", Request::ShowSrpInfo),
            ("show srp statistics", Request::ShowSrpStatistics),
            ("show srp details", Request::ShowSrpDetails),
            ("show srp monitor", Request::ShowSrpMonitor),
            ("show srp monitor bgp", Request::ShowSrpMonitor),
            ("show srp monitor all", Request::ShowSrpMonitor),
            ("show ip bgp summary", Request::ShowBgpSummary),
            ("show ip bgp", Request::ShowBgpRoutes { to: None }),
            ("show ip bgp 10.9.0.0/16", Request::ShowBgpRoutes { to: Some("10.9.0.0/16".into()) }),
            ("show ip bgp 2001:db8::1", Request::ShowBgpRoutes { to: Some("2001:db8::1".into()) }),
            ("show ip bgp neighbors", Request::ShowBgpNeighbors { neighbor: None }),
            (
                "show ip bgp neighbors 10.2.1.2",
                Request::ShowBgpNeighbors { neighbor: Some("10.2.1.2".into()) },
            ),
            (
                "show ip bgp neighbors 10.2.1.2 received-routes",
                Request::ShowBgpReceived { neighbor: "10.2.1.2".into() },
            ),
            (
                "show ip bgp neighbors 10.2.1.2 advertised-routes",
                Request::ShowBgpAdvertised { neighbor: "10.2.1.2".into() },
            ),
            (
                "dump bgp destination /tmp/table.mrt",
                Request::DumpBgp { context: "destination".into(), file: "/tmp/table.mrt".into() },
            ),
            ("clear ip bgp 10.2.1.2", clear(ClearBgp::Session)),
            ("clear ip bgp 10.2.1.2 soft in", clear(ClearBgp::SoftIn)),
            ("clear ip bgp 10.2.1.2 soft out", clear(ClearBgp::SoftOut)),
            ("show ip interface", interfaces(None, None)),
            ("show ip interface eth0", interfaces(None, Some("eth0"))),
            ("show ip interface summary", interfaces(None, None)),
            ("show ip interface --context access", interfaces(Some("access"), None)),
            ("show port table", interfaces(None, None)),
            ("show port info eth0", interfaces(None, Some("eth0"))),
            ("show port counters", interfaces(None, None)),
            ("show switchover", Request::ShowSwitchover { last: 1 }),
            ("show switchover last", Request::ShowSwitchover { last: 1 }),
            ("show configuration srp", Request::ShowConfiguration),
            ("srp initiate-switchover", Request::InitiateSwitchover { force: false }),
            ("srp initiate-switchover force", Request::InitiateSwitchover { force: true }),
            ("show switchover all", Request::ShowSwitchover { last: u32::MAX as usize }),
            ("srp validate-switchover", Request::ValidateSwitchover),
            ("srp validate-configuration", Request::ValidateConfiguration),
            ("srp terminate-post-process", Request::TerminatePostProcess),
            ("srp reset-auth-probe-fail", Request::ResetAuthProbeFail),
            ("srp reset-diameter-fail", Request::ResetDiameterFail),
            ("show srp monitor authentication-probe", Request::ShowSrpMonitorAuthenticationProbe),
            ("show srp monitor diameter", Request::ShowSrpMonitorDiameter),
            ("show srp monitor diameter debug", Request::ShowSrpMonitorDiameter),
            ("--json show srp info --socket /tmp/s", Request::ShowSrpInfo),
        ] {
            assert_eq!(request(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn words_may_be_cut_short_while_they_are_clear() {
        assert_eq!(request("sh srp inf"), Some(Request::ShowSrpInfo));
        assert_eq!(request("sh ip b s"), Some(Request::ShowBgpSummary));
        assert_eq!(request("s srp info"), None, "show or srp");
    }

    #[test]
    fn a_mistyped_word_is_answered_with_the_nearest() {
        let error = Args::try_parse_from(["srpctl", "show", "srp", "ifno"]).expect_err("no such word");
        assert!(error.to_string().contains("'info'"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
