//! FRR in the matrix.

use super::peer::{Heard, Peer, Session};
use crate::frr::Frr;
use crate::netns::{Debian, Netns};

/// What it puts on its own routes.
const TAG: &str = "route-map TAG permit 10\n set community 65001:77\n set large-community 65001:1:2\n \
                   set extcommunity rt 65001:9\nexit\n";

impl<'a> Frr<'a> {
    pub fn of_matrix(debian: Debian, netns: &'a Netns, session: &Session) -> Self {
        let ours = session.our_address();
        let mut bgp =
            format!(" neighbor {ours} remote-as {}\n neighbor {ours} timers connect 1\n", session.our_as);
        let mut say = |more: String| {
            bgp.push(' ');
            bgp.push_str(&more);
            bgp.push('\n');
        };
        if !session.peer_opens {
            say(format!("neighbor {ours} passive"));
        }
        if let Some(key) = session.key {
            say(format!("neighbor {ours} password {key}"));
        }
        if session.ttl_security {
            say(format!("neighbor {ours} ttl-security hops 1"));
        }
        if let Some(role) = session.role {
            say(format!("neighbor {ours} local-role {role}"));
        }
        if session.restart {
            say("bgp graceful-restart".to_owned());
            say("bgp graceful-restart preserve-fw-state".to_owned());
        }
        if session.ipv6_next_hops {
            say(format!("neighbor {ours} capability extended-nexthop"));
        }
        if session.two_octet {
            say(format!("neighbor {ours} dont-capability-negotiate"));
        }
        for (family, network) in [("ipv4", "10.9.0.0/16"), ("ipv6", "2001:db8:9::/48")] {
            say(format!("address-family {family} unicast"));
            say(format!(" neighbor {ours} activate"));
            say(format!(" network {network} route-map TAG"));
            if session.add_path {
                say(format!(" neighbor {ours} addpath-tx-all-paths"));
            }
            say("exit-address-family".to_owned());
        }
        Self::start_of(debian, netns, session.their_as, &bgp, TAG)
    }

    /// The only neighbor.
    fn neighbor_details(&self) -> serde_json::Value {
        let mut all = self.json("show bgp neighbors json");
        let address = ["192.0.2.1", "2001:db8::1"].into_iter().find(|address| all[*address].is_object());
        address.map(|address| all[address].take()).unwrap_or_default()
    }
}

impl Peer for Frr<'_> {
    fn established(&self) -> bool {
        self.neighbor_details()["bgpState"] == "Established"
    }

    fn heard(&self, prefix: &str) -> Option<Heard> {
        let path = self.path(prefix);
        if path["valid"] != true {
            return None;
        }
        let words = |key: &str| {
            let text = path[key]["string"].as_str().unwrap_or_default();
            text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        let number = |key: &str| path[key].as_u64().and_then(|number| u32::try_from(number).ok());
        let hops = path["nexthops"].as_array()?;
        let global = hops.iter().find(|hop| hop["scope"] != "link-local")?;
        Some(Heard {
            // An empty path is called "Local".
            as_path: words("aspath").iter().filter_map(|word| word.parse().ok()).collect(),
            next_hop: global["ip"].as_str()?.to_owned(),
            communities: words("community"),
            large_communities: words("largeCommunity"),
            med: number("metric"),
            local_pref: number("locPrf"),
        })
    }

    fn end_of_rib(&self) -> Option<bool> {
        let neighbor = self.neighbor_details();
        let restart = &neighbor["gracefulRestartInfo"];
        // It notes them only of neighbors that can restart.
        if ["Disable", "NotApplicable"].iter().any(|mode| restart["remoteGrMode"] == *mode) {
            return None;
        }
        let received = &restart["endOfRibRecv"];
        Some(received["ipv4Unicast"] == true && received["ipv6Unicast"] == true)
    }

    fn forget(&self) {
        self.configure(&["address-family ipv4 unicast", "no network 10.9.0.0/16"]);
    }

    fn ask_again(&self) -> bool {
        self.vtysh(&["clear bgp * soft in"]);
        true
    }

    fn farewell(&self) -> String {
        self.neighbor_details().to_string()
    }

    fn shut_down(&self, text: &str) -> bool {
        let neighbor = if self.neighbor("192.0.2.1").is_object() { "192.0.2.1" } else { "2001:db8::1" };
        self.configure(&[&format!("neighbor {neighbor} shutdown message {text}")]);
        true
    }

    fn die(&mut self) {
        self.end_bgpd();
    }

    fn rise(&mut self) {
        self.begin_bgpd();
    }

    fn report(&self) -> String {
        self.log()
            + &self.show("show bgp neighbors json")
            + &self.show("show bgp ipv4")
            + &self.show("show bgp ipv6")
    }
}
