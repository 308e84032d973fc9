//! Links of ours that go: sessions over them end at once, though the kernel has taken the addresses away by then.

use lab::netns::{Netns, next_prefix};
use srp_core::types::ChassisState;

use crate::neighbor_bfd::Router;
use crate::support::{Daemon, Keys, Pair};

const CHASSIS: &str = r#"
[context.bgp]
as = 65001
router-id = "10.1.0.1"

[[context.bgp.neighbor]]
address = "2001:db8:7::2"
remote-as = 65101
ipv6 = true
ipv4 = false
"#;

const BGPD: &str = "\
router bgp 65101
 bgp router-id 10.1.0.2
 no bgp ebgp-requires-policy
 neighbor 2001:db8:7::1 remote-as 65001
 neighbor 2001:db8:7::1 timers connect 1
 address-family ipv6 unicast
  neighbor 2001:db8:7::1 activate
 exit
exit
";

fn await_established(daemon: &Daemon, times: u64) {
    daemon.await_info("the session is Established", |_| {
        let seen = daemon.neighbor("2001:db8:7::2");
        seen.state == "Established" && seen.established == times
    });
}

fn await_lost(daemon: &Daemon, times: u64) {
    daemon.await_info("the session ends with its link", |_| daemon.neighbor("2001:db8:7::2").lost == times);
    let why = daemon.neighbor("2001:db8:7::2").last_loss.expect("a reason");
    assert!(why.contains("link down"), "not by a timer: {why}");
}

#[test]
fn ipv6_session_ends_with_its_link_that_is_set_down_or_deleted() {
    let pair = Pair::new();
    let east = &pair.east.netns;
    let netns = Netns::create(format!("{}-r", next_prefix())).expect("a namespace (needs root)");
    let ours = "addr add 2001:db8:7::1/64 dev r1 nodad".to_owned();
    let wire = format!("link add r1 type veth peer name net netns {}", netns.name());
    east.ip(&[wire, ours.clone(), "link set r1 up".into()]).expect("a wire to the router");
    let lines = ["addr add 2001:db8:7::2/64 dev net nodad", "link set net up", "link set lo up"];
    netns.ip(&lines.map(String::from)).expect("its other end");
    let mut router = Router::begin(netns);
    router.bgpd(BGPD);

    let daemon = pair.east.start(&pair.east.configure(&Keys::None, CHASSIS));
    daemon.await_state(ChassisState::Active);
    await_established(&daemon, 1);
    east.ip(&["link set r1 down".into()]).expect("a link is set down");
    await_lost(&daemon, 1);
    east.ip(&["link set r1 up".into(), ours]).expect("it comes back");
    await_established(&daemon, 2);
    east.ip(&["link delete r1".into()]).expect("a link is deleted");
    await_lost(&daemon, 2);
}
